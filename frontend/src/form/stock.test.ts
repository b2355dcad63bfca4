import { beforeEach, describe, expect, test } from "vitest";
import { write } from "./adapter.ts";
import { choose, fillIn, listOf, load, radioOf, textOf } from "./fixtures/page.ts";
import { stockForm } from "./stock.ts";

beforeEach(() => {
  document.body.innerHTML = "";
});

function several() {
  const page = load("several");
  const form = stockForm(document, "image");
  if (!form) {
    throw new Error("the form was not found");
  }
  return { ...page, hub: form };
}

describe("KubeSpawner's form", () => {
  test("is found by its text fields, and only where it offers to build", () => {
    const { hub } = several();
    expect(hub.offering()).toEqual(["small", "large"]);
    expect(stockForm(document, "environment")).toBeNull();
    document.body.innerHTML = "<form><input id='x--image'></form>";
    expect(stockForm(document, "image")).toBeNull();
  });

  test("has nothing active until the choice to build is made in the profile that is selected", () => {
    const { hub } = several();
    expect(hub.active()).toBeNull();
    choose(listOf("small"), "unlisted-choice");
    expect(hub.active()).toMatchObject({ profile: "small", shared: false });
    radioOf("large").click();
    expect(hub.active()).toBeNull();
    radioOf("plain").click();
    expect(hub.active()).toBeNull();
  });

  test("knows a text field that also takes images", () => {
    const { hub } = several();
    radioOf("large").click();
    choose(listOf("large"), "unlisted-choice");
    expect(hub.active()).toMatchObject({ profile: "large", shared: true });
  });

  test("is given the choice, in the profile that is named, selected, or the first", async () => {
    const { hub } = several();
    expect(await hub.choose(null)).toMatchObject({ profile: "small" });
    expect(textOf("small").name).toBe("profile-option-small--image--unlisted-choice");
    expect(listOf("small").name).toBe("");
    expect(await hub.choose("large")).toMatchObject({ profile: "large" });
    expect(radioOf("large").checked).toBe(true);
    expect(await hub.choose("no such")).toMatchObject({ profile: "large" });
    radioOf("plain").click();
    expect(await hub.choose(null)).toMatchObject({ profile: "small" });
  });

  test("is what one profile without a list is, too", async () => {
    load("one");
    const hub = stockForm(document, "image");
    expect(hub?.offering()).toEqual(["server"]);
    expect(await hub?.choose(null)).toMatchObject({ profile: "server", shared: false });
  });

  test("keeps what was saved", () => {
    load("saved");
    fillIn("large", "https://github.com/org/saved@v1");
    const place = stockForm(document, "image")?.active();
    expect(place?.profile).toBe("large");
    expect(place?.input.value).toBe("https://github.com/org/saved@v1");
  });

  test("tells of changes until nobody listens; a choice by keyboard selects its profile", () => {
    const { hub } = several();
    const seen: (string | undefined)[] = [];
    const stop = hub.watch(() => seen.push(hub.active()?.profile));
    choose(listOf("large"), "unlisted-choice");
    expect(radioOf("large").checked).toBe(true);
    choose(listOf("large"), "scipy");
    stop();
    choose(listOf("large"), "unlisted-choice");
    expect(seen).toEqual(["large", undefined]);
  });

  test("has the panel outside of the label, which takes every click for its own", async () => {
    const { hub } = several();
    const place = await hub.choose("small");
    expect(place?.anchor.tagName).toBe("LABEL");
    expect(place?.anchor.contains(place.input)).toBe(true);
    expect(place?.row.querySelector("label")?.textContent).toContain("Repository");
  });

  test("is written into as by hand", async () => {
    const { hub } = several();
    const input = (await hub.choose("small"))?.input;
    const heard: string[] = [];
    input?.addEventListener("input", () => heard.push(input.value));
    if (input) {
      write(input, "https://h/r");
      write(input, "https://h/r");
    }
    expect(heard).toEqual(["https://h/r"]);
  });
});
