import { describe, expect, test } from "vitest";
import { pageData } from "./data.ts";
import { load } from "./fixtures/page.ts";
import { outlook } from "./fixtures/service.ts";
import { brought, linksTo } from "./link.ts";
import { EMPTY } from "./wish.ts";

describe("a link", () => {
  test("fills in the form", () => {
    expect(
      brought("#build=gh/org/repo/main&urlpath=lab/tree/x.ipynb&content=1&profile=large"),
    ).toEqual({
      draft: {
        text: "build:gh/org/repo/main",
        ref: null,
        path: "lab/tree/x.ipynb",
        content: true,
        linked: true,
        given: true,
      },
      profile: "large",
    });
  });

  test("may have what one would paste", () => {
    expect(brought("#build=https%3A%2F%2Fh.test%2Fr%40main")?.draft.text).toBe(
      "https://h.test/r@main",
    );
    expect(brought("#build=10.5281/zenodo.3242074")?.draft.text).toBe("10.5281/zenodo.3242074");
    expect(brought("#build=build:gh/org/repo/main")?.draft.text).toBe("build:gh/org/repo/main");
  });

  test.each([
    "",
    "#",
    "#other=1",
    "#build=",
    "#fancy-forms-config=%7B%7D",
    "#build=gh/o/r&urlpath=//evil",
  ])("%j brings nothing", (hash) => {
    expect(brought(hash)).toBeNull();
  });

  test("is made from what is in the form", () => {
    load("one");
    const data = pageData(document);
    const known = outlook("https://github.com/org/repo@main");
    const here = "https://hub.test/hub/spawn";
    const links = data && linksTo(data, known, { ...EMPTY, path: "x.ipynb" }, "large", here);
    expect(links?.binder).toBe(
      "https://hub.test/services/imagebuilder/v2/gh/org/repo/main?urlpath=lab%2Ftree%2Fx.ipynb",
    );
    const form = new URL(links?.form ?? "");
    expect(form.origin + form.pathname).toBe("https://hub.test/hub/spawn");
    expect(brought(form.hash)).toMatchObject({
      draft: { text: "build:gh/org/repo/main", path: "lab/tree/x.ipynb" },
      profile: "large",
    });
    expect(links?.badge.markdown).toContain("https://hub.test/services/imagebuilder/badge.svg");
  });
});

describe("the page's data", () => {
  test("is taken whole or not at all", () => {
    load("one");
    expect(pageData(document)).toMatchObject({ user: "alice", option: "image" });
    const script = document.getElementById("imagebuilder-form");
    for (const text of ["", "{", "[]", "null", '{"service": 5}']) {
      if (script) {
        script.textContent = text;
      }
      expect(pageData(document), text).toBeNull();
    }
  });
});
