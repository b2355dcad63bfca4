import { describe, expect, test } from "vitest";
import type { PageData } from "./data.ts";
import { inServer, nextOf } from "./opening.ts";

const data: PageData = {
  service: "/base/services/imagebuilder/",
  service_name: "imagebuilder",
  user: "a@b",
  server: "two",
  option: "image",
  prefill: "",
  server_url: "/base/user/a%40b/two/",
  hub: "/base/hub/",
  content: "/base/services/imagebuilder/content",
};
const content = { repository: "https://github.com/org/repo.git", branch: "main" };

describe("a path to open", () => {
  test.each([
    ["", null],
    ["   ", null],
    ["lab", "lab"],
    ["/rstudio/", "rstudio/"],
    ["notebooks/intro.ipynb", "notebooks/intro.ipynb"],
    ["intro.ipynb", "lab/tree/intro.ipynb"],
    ["a b/ü.ipynb", "lab/tree/a%20b/%C3%BC.ipynb"],
    ["lab/tree/x.ipynb?reset#here", "lab/tree/x.ipynb?reset#here"],
    ["git-pull?repo=https%3A%2F%2Fh%2Fr", "git-pull?repo=https%3A%2F%2Fh%2Fr"],
    ["proxy/8050", "proxy/8050"],
    ["..", null],
    ["../../hub/logout", null],
    ["lab/%2e%2e/x", null],
    ["//evil.test/x", null],
    ["https://evil.test/x", null],
    ["javascript:alert(1)", null],
    ["\\\\evil.test", null],
  ])("%j is %j", (text, path) => {
    expect(inServer(text)).toBe(path);
  });
});

describe("where the user lands", () => {
  test("is the server, whose address the hub gave", () => {
    expect(nextOf(data, "lab/tree/x.ipynb", null)).toBe("/base/user/a%40b/two/lab/tree/x.ipynb");
    expect(nextOf(data, "", null)).toBeNull();
    expect(nextOf(data, "//evil.test", null)).toBeNull();
  });

  test.each([
    ["", "lab/tree/repo"],
    ["intro.ipynb", "lab/tree/repo/intro.ipynb"],
    ["lab/tree/repo/intro.ipynb", "lab/tree/repo/intro.ipynb"],
    ["tree/sub", "tree/repo/sub"],
    ["rstudio", "rstudio"],
  ])("with content and %j is %j, by the page between", (text, urlpath) => {
    const url = new URL(nextOf(data, text, content) ?? "", "http://hub.test");
    expect(url.pathname).toBe("/base/services/imagebuilder/content");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      server: data.server_url,
      repo: "https://github.com/org/repo.git",
      branch: "main",
      urlpath,
    });
  });

  test("has no branch where none is known, and no content where the hub has no such page", () => {
    expect(nextOf(data, "", { ...content, branch: null })).not.toContain("branch");
    expect(nextOf({ ...data, content: null }, "", content)).toBeNull();
    expect(nextOf({ ...data, content: null }, "lab", content)).toBe("/base/user/a%40b/two/lab");
  });
});
