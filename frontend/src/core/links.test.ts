import { describe, expect, it } from "vitest";
import {
  badge,
  binderLink,
  formLink,
  fromFragment,
  safePath,
  toFragment,
  type Wish,
} from "./links.ts";

const HUB = "https://hub.example.org/hub/";
const SERVICE = "https://hub.example.org/services/imagebuilder/";

describe("a fragment", () => {
  const wishes: Wish[] = [
    { build: "gh/org/repo/main" },
    { build: "git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo/feature/x" },
    { build: "https://github.com/org/repo@v1.0+1 & more#x", path: "lab/tree/a b&c.ipynb?x=1#y" },
    { build: "gh/org/repo/größe", path: "rstudio", content: true, profile: "large & slow" },
  ];

  it.each(wishes)("says $build and is understood", (wish) => {
    const fragment = toFragment(wish);
    expect(fragment).toMatch(/^#build=[\x21-\x7e]+$/);
    expect(fromFragment(fragment)).toEqual(wish);
    expect(fromFragment(fragment.slice(1))).toEqual(wish);
    expect(fromFragment(new URL(HUB + fragment).hash)).toEqual(wish);
  });

  it("is written as documented", () => {
    const wish = { build: "gh/org/repo/main", path: "lab", content: true, profile: "gpu" };
    expect(toFragment(wish)).toBe(
      "#build=gh%2Forg%2Frepo%2Fmain&urlpath=lab&content=1&profile=gpu",
    );
  });

  it.each([
    "",
    "#",
    "#other=1",
    "#build=",
    "#build=%20",
    "#build=a%00b",
    "#build=a%0Ab",
    `#build=${"a".repeat(3000)}`,
    "#build=x&urlpath=https%3A%2F%2Fevil.example.org",
    "#build=x&urlpath=%2F%2Fevil.example.org",
    "#build=x&urlpath=..%2F..%2Fhub%2Flogout",
    "#build=x&profile=%0A",
  ])("%j is none", (hash) => {
    expect(fromFragment(hash)).toBeNull();
  });

  it.each(["#build=%E0%A4%A", "#build=%", "#%%%=&&=&build=x%ZZ", "#build=\uD800"])(
    "%j does not throw",
    (hash) => {
      expect(fromFragment(hash)?.build).toBeTypeOf("string");
    },
  );

  it("says 'content' with 1 alone", () => {
    expect(fromFragment("#build=x&content=0")).toEqual({ build: "x" });
    expect(fromFragment("#build=x&content=1")).toEqual({ build: "x", content: true });
  });

  it("has whole characters", () => {
    expect(toFragment({ build: "a\uD800b" })).toBe("#build=a%EF%BF%BDb");
  });
});

describe("a path", () => {
  it.each([
    ["lab/tree/a.ipynb", "lab/tree/a.ipynb"],
    ["/lab?reset", "lab?reset"],
    ["doc/tree/..hidden/a...b", "doc/tree/..hidden/a...b"],
    ["lab/tree/a:b", "lab/tree/a:b"],
    ["rstudio?next=//x/../y", "rstudio?next=//x/../y"],
    ["", ""],
  ])("%j stays on the server", (path, safe) => {
    expect(safePath(path)).toBe(safe);
  });

  it.each([
    "//evil.example.org",
    "///x",
    "https://evil.example.org",
    "javascript:alert(1)",
    "/javascript:alert(1)",
    "..",
    "lab/../../hub",
    "lab/%2e%2E/x",
    "lab%2F..%2Fx",
    "\\\\evil",
    "lab\\..\\x",
    "lab/%5c%5cx",
    "a\nb",
    "a".repeat(3000),
  ])("%j leads somewhere else", (path) => {
    expect(safePath(path)).toBeNull();
  });
});

describe("a link", () => {
  it("to the form", () => {
    const wish = { build: "gh/org/repo/main" };
    expect(formLink(HUB, wish)).toBe(`${HUB}spawn#build=gh%2Forg%2Frepo%2Fmain`);
    expect(formLink(HUB, wish, "other", "a b")).toContain("/hub/spawn/a%20b/other#build=");
    expect(formLink("/base/hub", wish, "other")).toMatch(/^\/base\/hub\/spawn#build=/);
  });

  it.each([
    ["gh", "org/repo/main", "v2/gh/org/repo/main"],
    ["gh", "org/repo/feature/x", "v2/gh/org/repo/feature/x"],
    [
      "git",
      "https%3A%2F%2Fgit.example.org%2Fr/main",
      "v2/git/https%3A%2F%2Fgit.example.org%2Fr/main",
    ],
    ["gh", "org/repo/a?b#c d", "v2/gh/org/repo/a%3Fb%23c%20d"],
    ["gh", "org/repo/größe", "v2/gh/org/repo/gr%C3%B6%C3%9Fe"],
    ["gh", "org/repo/\uDC00", "v2/gh/org/repo/%EF%BF%BD"],
  ])("as mybinder.org has them: %s %s", (provider, spec, end) => {
    expect(binderLink(SERVICE, provider, spec)).toBe(SERVICE + end);
    expect(new URL(binderLink(SERVICE, provider, spec)).href).toBe(SERVICE + end);
  });

  it("says what to open and whether to fetch", () => {
    expect(binderLink(SERVICE, "gh", "o/r/main", "lab/tree/a b.ipynb", true)).toBe(
      `${SERVICE}v2/gh/o/r/main?urlpath=lab%2Ftree%2Fa+b.ipynb&content=1`,
    );
  });
});

describe("a badge", () => {
  const link = `${SERVICE}v2/gh/o/r/a(b)?urlpath=lab&content=1`;
  const made = badge(link, SERVICE);

  it("in Markdown", () => {
    expect(made.markdown).toBe(
      `[![Open in JupyterHub](${SERVICE}badge.svg)](${SERVICE}v2/gh/o/r/a%28b%29?urlpath=lab&content=1)`,
    );
  });

  it("in HTML", () => {
    expect(made.html).toContain("a%28b%29?urlpath=lab&amp;content=1");
    expect(badge('https://x/"><script>', SERVICE).html).not.toContain("<script");
  });

  it("in reStructuredText", () => {
    expect(made.rst).toMatch(/^\.\. image:: https:.*badge\.svg\n {3}:target: https:.*\n {3}:alt: /);
    expect(badge("https://x/a\n.. raw:: html", SERVICE).rst).not.toContain("\n..");
  });
});
