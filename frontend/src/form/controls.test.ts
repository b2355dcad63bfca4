import { beforeEach, describe, expect, test, vi } from "vitest";
import { Controls } from "./controls.ts";
import { choose, listOf, load, type Page, radioOf, startButton, textOf } from "./fixtures/page.ts";
import { stockForm } from "./stock.ts";

let page: Page;
let controls: Controls;

beforeEach(() => {
  page = load("several");
  const form = stockForm(document, "image");
  if (!form) {
    throw new Error("the form was not found");
  }
  controls = new Controls(form);
});

function sent(name: string): string | undefined {
  return page.sent.at(-1)?.find(([each]) => each === name)?.[1];
}

describe("the hub's form in the panel's hands", () => {
  test("has the panel where the choice to build is selected, and nowhere else", () => {
    const seen: (string | undefined)[] = [];
    controls.follow((place) => seen.push(place?.profile));
    expect(controls.host.isConnected).toBe(false);
    choose(listOf("small"), "unlisted-choice");
    expect(document.querySelector("label[for=profile-item-small] + .ib-form")).toBe(controls.host);
    choose(listOf("large"), "unlisted-choice");
    expect(document.querySelector("label[for=profile-item-large] + .ib-form")).toBe(controls.host);
    radioOf("plain").click();
    expect(controls.host.isConnected).toBe(false);
    expect(seen).toEqual(["small", "large", undefined]);
  });

  test("hides the text field, and gives it back", () => {
    const row = textOf("small").closest<HTMLElement>(".option");
    choose(listOf("small"), "unlisted-choice");
    expect(row?.style.display).toBe("none");
    controls.standBack(true);
    expect(row?.style.display).toBe("");
    expect(document.getElementById("imagebuilder-away")?.hidden).toBe(false);
    controls.standBack(false);
    expect(row?.style.display).toBe("none");
    expect(document.getElementById("imagebuilder-away")?.hidden).toBe(true);
    choose(listOf("small"), "scipy");
    expect(row?.style.display).toBe("");
  });

  test("asks first when the hub's button is clicked, while the choice to build is selected", () => {
    const asked = vi.fn(() => true);
    controls.onStart = asked;
    startButton().click();
    expect(asked).not.toHaveBeenCalled();
    expect(page.sent).toHaveLength(1);
    choose(listOf("small"), "unlisted-choice");
    startButton().click();
    page.form.requestSubmit();
    expect(asked).toHaveBeenCalledTimes(2);
    expect(page.sent).toHaveLength(1);
    asked.mockReturnValue(false);
    startButton().click();
    expect(page.sent).toHaveLength(2);
  });

  test("sends text and commit, once", async () => {
    controls.onStart = () => true;
    choose(listOf("small"), "unlisted-choice");
    controls.write("https://github.com/org/repo@main", "c".repeat(40));
    controls.submit();
    await vi.waitFor(() => expect(page.sent).toHaveLength(1));
    expect(sent("profile-option-small--image--unlisted-choice")).toBe(
      "https://github.com/org/repo@main",
    );
    expect(sent("profile-option-small--image")).toBeUndefined();
    expect(sent("imagebuilder-commit")).toBe("c".repeat(40));
  });

  test("forgets the commit with the choice", () => {
    choose(listOf("small"), "unlisted-choice");
    controls.write("https://github.com/org/repo", "c".repeat(40));
    choose(listOf("small"), "scipy");
    startButton().click();
    expect(sent("imagebuilder-commit")).toBe("");
  });

  test("sets where the user lands, and takes it back", () => {
    controls.next("/user/alice/lab/tree/a b.ipynb?x=1");
    const url = new URL(page.form.action);
    expect(url.searchParams.get("next")).toBe("/user/alice/lab/tree/a b.ipynb?x=1");
    expect(url.searchParams.get("_xsrf")).toBe("abc");
    controls.next("/user/alice/other");
    expect(new URL(page.form.action).searchParams.getAll("next")).toEqual(["/user/alice/other"]);
    controls.next(null);
    expect(page.form.getAttribute("action")).toBe("/hub/spawn?_xsrf=abc");
  });

  test("drops where a link of the service leads whose server runs, and nothing else", () => {
    const service = encodeURIComponent("/services/imagebuilder/v2/gh/org/repo/main?running=1");
    page.form.setAttribute("action", `/hub/spawn?_xsrf=abc&next=${service}`);
    controls.forget("/services/imagebuilder/v2/");
    expect(new URL(page.form.action).search).toBe("?_xsrf=abc");
    page.form.setAttribute("action", "/hub/spawn?_xsrf=abc&next=%2Fuser%2Falice%2Flab");
    controls.forget("/services/imagebuilder/v2/");
    expect(page.form.getAttribute("action")).toBe(
      "/hub/spawn?_xsrf=abc&next=%2Fuser%2Falice%2Flab",
    );
  });

  test("says on the hub's button what it does, and what the hub wrote there", () => {
    controls.onStart = () => true;
    choose(listOf("small"), "unlisted-choice");
    controls.label("Build and start", true);
    expect(startButton().textContent).toBe("Build and start");
    expect(startButton().getAttribute("aria-disabled")).toBe("true");
    controls.label(null);
    expect(startButton().textContent).toBe("Start");
    expect(startButton().hasAttribute("aria-disabled")).toBe(false);
    startButton().outerHTML = '<input type="submit" value="Launch">';
    controls.label("Build");
    expect((startButton() as unknown as HTMLInputElement).value).toBe("Build");
    controls.label(null);
    expect((startButton() as unknown as HTMLInputElement).value).toBe("Launch");
  });

  test("looks after the rest of the form, not after its own fields", () => {
    choose(listOf("small"), "unlisted-choice");
    controls.write("org/repo", null);
    expect(textOf("small").validity.valid).toBe(false);
    expect(controls.complete()).toBe(true);
    const other = document.createElement("input");
    other.required = true;
    page.form.append(other);
    expect(controls.complete()).toBe(false);
  });

  test("leaves the page as it was", () => {
    controls.release();
    choose(listOf("small"), "unlisted-choice");
    const before = document.body.innerHTML;
    const again = new Controls(controls.form);
    again.label("Build");
    again.next("/x");
    expect(document.body.innerHTML).not.toBe(before);
    again.release();
    expect(document.body.innerHTML.replace(' style=""', "")).toBe(before);
    choose(listOf("small"), "unlisted-choice");
    expect(controls.host.isConnected).toBe(false);
  });
});
