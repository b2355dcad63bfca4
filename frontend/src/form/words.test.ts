import { describe, expect, test } from "vitest";
import type { Phase } from "../core/api.ts";
import { begin } from "../core/story.ts";
import { build, outlook } from "./fixtures/service.ts";
import type { Step } from "./going.ts";
import { bare, fullness, verdict } from "./outlook.tsx";
import { askedOf, submitted } from "./wish.ts";
import { buttonText, type Situation, spoken } from "./words.ts";

const REPO = "https://github.com/org/repo";
const idle: Situation = {
  step: { name: "editing" },
  story: null,
  known: null,
  settled: true,
  start: true,
  pressed: false,
  owner: null,
};
const building: Step = { name: "building", id: "one", text: REPO, commit: "c" };

function at(phase: Phase): Partial<Situation> {
  return { step: building, story: begin(build("one", { phase })) };
}

describe("the button", () => {
  test.each<[string, Partial<Situation>, string | null, boolean]>([
    ["nothing is known", {}, null, false],
    ["the image is there", { known: outlook(REPO, { cached: true }) }, null, false],
    ["it has to be built", { known: outlook(REPO) }, "Build and start", false],
    ["it starts later", { known: outlook(REPO), start: false }, "Build", false],
    ["for another", { known: outlook(REPO), owner: "bob" }, "Build and start for bob", false],
    ["it was clicked", { pressed: true }, "Looking at the repository…", true],
    ["it is asked for", { step: { name: "asking" } }, "Asking for the build…", true],
    ["it builds", at("building"), "The server starts when the image is ready", true],
    ["only builds", { ...at("pushing"), start: false }, "Start when the image is ready", false],
    ["it is built", at("built"), null, false],
    ["it failed", at("failed"), "Build again", false],
    ["it was cancelled", at("cancelled"), "Build again", false],
    ["it starts", { step: { name: "starting", id: null, text: REPO } }, "Starting…", true],
  ])("when %s", (_, part, text, waiting) => {
    expect(buttonText({ ...idle, ...part })).toEqual({ text, waiting });
  });
});

describe("what is spoken", () => {
  test("is what the repository came to, then the stages, never a line of the log", () => {
    expect(spoken(idle)).toBe("");
    expect(spoken({ ...idle, known: outlook(REPO) })).toBe("Will be built, about 4 min.");
    expect(spoken({ ...idle, known: outlook(REPO), settled: false })).toBe("");
    expect(spoken({ ...idle, refused: true })).toBe("There is a problem with the repository.");
    expect(spoken({ ...idle, ...at("pushing") })).toBe("The image is being pushed.");
    expect(spoken({ ...idle, step: { name: "starting", id: null, text: "" } })).toBe(
      "The server starts.",
    );
  });
});

describe("the outlook", () => {
  test("is one sentence", () => {
    expect(verdict(outlook(REPO, { cached: true }))).toBe("Already built: starts at once.");
    expect(verdict(outlook(REPO, { expected_seconds: null }))).toBe("Will be built.");
    expect(verdict(outlook(REPO, { expected_seconds: 40 }))).toBe("Will be built, about 40 s.");
    expect(verdict(outlook(REPO, { under_way: true }))).toBe(
      "Being built already, about 4 min: you join.",
    );
  });

  test("names the limit that is reached first, and none where nothing is built", () => {
    const { limits } = outlook(REPO);
    const full = { limit: 2, used: 2 };
    const all = { ...limits, running: full, waiting: full, user: full, repository: full };
    const sentence = (part: object) => fullness(outlook(REPO, part));
    expect(sentence({})).toBeNull();
    expect(sentence({ limits: all, cached: true })).toBeNull();
    expect(sentence({ limits: all, under_way: true })).toBeNull();
    expect(sentence({ limits: all })).toContain("takes no more");
    expect(sentence({ limits: { ...limits, running: full, user: full } })).toContain("2 builds");
    expect(sentence({ limits: { ...limits, repository: full } })).toContain("of this repository");
    expect(sentence({ limits: { ...limits, running: full } })).toContain("waits for its turn");
    expect(sentence({ limits: { ...limits, running: { limit: 2, used: null } } })).toBeNull();
  });

  test("names a repository without what all addresses have", () => {
    expect(bare("https://github.com/org/repo.git")).toBe("github.com/org/repo");
  });
});

describe("what is asked and sent", () => {
  test.each([
    [" https://h/r ", null, "https://h/r"],
    ["https://h/r", "v1", "https://h/r@v1"],
    ["https://h/r", "HEAD", "https://h/r"],
    ["https://h/r", " ", "https://h/r"],
    ["", "v1", ""],
  ])("%j with %j is %j", (text, ref, asked) => {
    expect(askedOf({ text, ref })).toBe(asked);
  });

  test("is what the hub cannot take for the name of an image", () => {
    const known = { provider: "zenodo", spec: "10.5281/zenodo.1" };
    expect(submitted("https://h/r@v1", known)).toBe("https://h/r@v1");
    expect(submitted("build:gh/org/repo/main", known)).toBe("build:gh/org/repo/main");
    expect(submitted("10.5281/zenodo.1", known)).toBe("build:zenodo/10.5281/zenodo.1");
  });
});
