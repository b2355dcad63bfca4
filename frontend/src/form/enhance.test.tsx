import { screen, waitFor } from "@testing-library/preact";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { enhance } from "./enhance.tsx";
import { choose, fillIn, listOf, load, radioOf, textOf } from "./fixtures/page.ts";
import { keep } from "./visit.ts";

type Hub = { jhdata?: unknown };

beforeEach(() => {
  keep(null);
  history.replaceState(null, "", "/hub/spawn");
  (window as Hub).jhdata = { user: "alice", xsrf_token: "abc" };
  // nobody answers: what is shown without the service is all that is looked at
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
});

afterEach(() => {
  const host = document.querySelector(".ib-form");
  if (host) {
    act(() => render(null, host));
  }
  vi.unstubAllGlobals();
});

const repository = () => screen.getByRole("combobox", { name: /^Repository/ }) as HTMLInputElement;

describe("the page's script", () => {
  test("shows nothing as long as nobody chooses to build", async () => {
    load("several");
    await act(() => enhance(window));
    expect(document.querySelector(".ib-form")).toBeNull();
    await act(() => choose(listOf("small"), "unlisted-choice"));
    expect(repository().value).toBe("");
  });

  test("begins with what was saved", async () => {
    load("saved");
    fillIn("large", "https://github.com/org/saved@v1");
    await act(() => enhance(window));
    expect(repository().value).toBe("https://github.com/org/saved@v1");
  });

  test("begins with what a link brought, in the profile that it names", async () => {
    load("several");
    history.replaceState(null, "", "/hub/spawn#build=gh/org/repo/main&profile=large&urlpath=lab");
    await act(() => enhance(window));
    expect(radioOf("large").checked).toBe(true);
    expect(repository().value).toBe("build:gh/org/repo/main");
    await waitFor(() => expect(textOf("large").value).toBe("build:gh/org/repo/main"));
  });

  test("waits for the form's own script, which fills in what was saved", async () => {
    load("saved");
    vi.stubGlobal("jQuery", (ready: () => void) => setTimeout(ready));
    const done = act(() => enhance(window));
    fillIn("large", "https://github.com/org/saved@v1");
    await done;
    expect(repository().value).toBe("https://github.com/org/saved@v1");
  });

  test.each([
    ["there is no data", () => document.getElementById("imagebuilder-form")?.remove()],
    ["nobody is logged in", () => delete (window as Hub).jhdata],
    ["the form is an admin's own", () => textOf("small").form?.replaceChildren()],
  ])("leaves the page alone where %s", async (_, change) => {
    load("several");
    change();
    const before = document.body.innerHTML;
    await enhance(window);
    expect(document.body.innerHTML).toBe(before);
  });

  test("gives the form back where it fails itself", async () => {
    load("several");
    const broken = { jhdata: { user: "alice", xsrf_token: "abc" }, document, history };
    const before = document.querySelectorAll("input").length;
    await expect(enhance(broken as unknown as Window)).rejects.toThrow();
    expect(document.querySelectorAll("input")).toHaveLength(before);
    choose(listOf("small"), "unlisted-choice");
    expect(textOf("small").closest<HTMLElement>(".option")?.style.display).toBe("");
  });
});
