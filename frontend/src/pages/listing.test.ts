import { describe, expect, test } from "vitest";
import type { Build } from "../core/api.ts";
import { changed, fitting, listed, merged, movable, refName, shortName, took } from "./listing.ts";
import { aBuild } from "./testing.ts";

const ids = (builds: readonly Build[]) => builds.map((build) => build.id);

describe("a list that changes", () => {
  const old = aBuild({ id: "old", created: "2026-01-01T00:00:00+00:00" });
  const young = aBuild({ id: "young", created: "2026-01-02T00:00:00+00:00" });

  test("has the newest first, and each once", () => {
    expect(ids(merged([old], [young, old]))).toEqual(["young", "old"]);
  });

  test("takes over what is told anew", () => {
    const failed = { ...old, phase: "failed" as const };
    expect(changed([young, old], { type: "build", build: failed })[1]?.phase).toBe("failed");
  });

  test("does not let a late answer undo an end", () => {
    const ended = aBuild({ id: "b", phase: "built" });
    const late = aBuild({ id: "b", phase: "building" });
    expect(merged([ended], [late])[0]?.phase).toBe("built");
  });

  test("loses what is gone, and nothing when the stream begins", () => {
    expect(ids(changed([young, old], { type: "gone", id: "old" }))).toEqual(["young"]);
    expect(ids(changed([young, old], { type: "listening" }))).toEqual(["young", "old"]);
  });
});

describe("what may have new commits", () => {
  test("is the newest build of a branch, if it has an image", () => {
    const builds = [
      aBuild({ id: "newest" }),
      aBuild({ id: "older" }),
      aBuild({ id: "failed", ref: "other", phase: "failed" }),
      aBuild({ id: "older-of-failed", ref: "other" }),
    ];
    expect(ids(movable(builds))).toEqual(["newest"]);
  });

  test("is no build of a commit", () => {
    const commit = "a".repeat(40);
    expect(movable([aBuild({ ref: commit, commit })])).toEqual([]);
  });
});

describe("the time that a build took", () => {
  test("begins behind the queue", () => {
    const build = aBuild({
      created: "2026-01-01T00:00:00+00:00",
      phases: { waiting: "2026-01-01T00:00:00+00:00", fetching: "2026-01-01T00:05:00+00:00" },
      finished: "2026-01-01T00:06:30+00:00",
    });
    expect(took(build)).toBe(90);
  });

  test("is not known of what was only found, or goes on", () => {
    const phases = { fetching: "2026-01-01T00:00:00+00:00" };
    expect(took(aBuild({ phases, finished: null }))).toBeNull();
    expect(took(aBuild({ phases, cached: true }))).toBeNull();
  });
});

test("a search wants all of its words, in any order and case", () => {
  const builds = [
    aBuild({ id: "one", repository: "https://github.com/Org/Lesson", ref: "main" }),
    aBuild({ id: "two", repository: "https://github.com/org/other", ref: "main" }),
  ];
  expect(ids(fitting(builds, " MAIN lesson "))).toEqual(["one"]);
  expect(ids(fitting(builds, ""))).toEqual(["one", "two"]);
});

test("a repository is named without what all addresses have", () => {
  expect(shortName("https://github.com/org/repo.git")).toBe("github.com/org/repo");
  expect(shortName("10.5281/zenodo.3242074")).toBe("10.5281/zenodo.3242074");
});

describe("a list that was read while things changed", () => {
  const old = aBuild({ id: "old", created: "2026-01-01T00:00:00+00:00" });
  const begun = aBuild({ id: "begun", phase: "waiting", created: "2026-01-03T00:00:00+00:00" });

  test("has what began meanwhile, and not what went", () => {
    const meanwhile = [
      { type: "build", build: begun } as const,
      { type: "gone", id: "old" } as const,
    ];
    expect(ids(listed([old], meanwhile))).toEqual(["begun"]);
  });

  test("does not go back to a phase that is over", () => {
    const meanwhile = [{ type: "build", build: { ...begun, phase: "building" } } as const];
    expect(listed([begun], meanwhile)[0]?.phase).toBe("building");
  });
});

test("a ref is named where it says more than the commit", () => {
  expect(refName(aBuild({ ref: "main" }))).toBe("main");
  expect(refName(aBuild({ ref: "HEAD" }))).toBe("default branch");
  expect(refName(aBuild({ ref: aBuild().commit }))).toBeNull();
  expect(refName(aBuild({ ref: "" }))).toBeNull();
});

test("a search finds the reason of a failure", () => {
  const failed = aBuild({ id: "failed", phase: "failed", reason: "out-of-memory" });
  expect(ids(fitting([aBuild(), failed], "memory"))).toEqual(["failed"]);
});
