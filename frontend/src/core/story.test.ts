import { describe, expect, it } from "vitest";
import type { BuildEvent, Phase } from "./api.ts";
import { aBuild } from "./building.testing.ts";
import { golden } from "./golden.testing.ts";
import { EventParser } from "./sse.ts";
import { begin, refresh, STAGES, type Story, step, terminal } from "./story.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");

function phase(name: Phase, changes: object = {}): BuildEvent {
  return {
    type: "phase",
    phase: name,
    message: `${name}!`,
    reason: null,
    image: null,
    digest: null,
    ...changes,
  };
}

function played(name: string, story = begin(aBuild())): Story {
  const events = new EventParser().push(golden(name));
  return events.reduce(
    (now, { data }, index) => step(now, JSON.parse(data), T0 + 1000 * (index + 1)),
    story,
  );
}

function times(story: Story): (number | null)[][] {
  const seconds = (moment: number | null) => (moment === null ? null : (moment - T0) / 1000);
  return story.stages.map(({ since, until }) => [seconds(since), seconds(until)]);
}

describe("transcripts of the service", () => {
  it("of an image that is built", () => {
    const story = played("events-built");
    expect(story).toMatchObject({ phase: "built", over: true, message: "The image is built" });
    expect(story.digest).toMatch(/^sha256:1+$/);
    expect(story.image).toContain("@sha256:");
    expect(times(story)).toEqual([
      [0, 3],
      [3, 6],
      [6, 11],
      [11, 13],
      [13, 13],
    ]);
  });

  it("of a build that fails", () => {
    const story = played("events-failed");
    expect(story).toMatchObject({ phase: "failed", reason: "build-failed", over: true });
    expect(story.stages.map(({ since }) => since !== null)).toEqual([
      true,
      false,
      true,
      false,
      false,
    ]);
    expect(story.stages.every(({ since, until }) => (since === null) === (until === null))).toBe(
      true,
    );
  });

  it("of a build that is cancelled", () => {
    expect(played("events-cancelled")).toMatchObject({
      phase: "cancelled",
      reason: "cancelled",
      message: "alice stopped this build.",
    });
  });

  it("of a viewer who comes back", () => {
    const before = begin(aBuild({ phase: "building" }));
    expect(played("events-resumed", before)).toMatchObject({ phase: "built", over: true });
  });

  it("that are read again from the start change nothing", () => {
    const once = played("events-built");
    expect(played("events-built", once)).toEqual(once);
  });
});

describe("begin", () => {
  it("has each phase's times from the service", () => {
    const story = begin(
      aBuild({
        phase: "failed",
        reason: "timeout",
        phases: {
          waiting: "2026-01-01T00:00:00+00:00",
          building: "2026-01-01T00:00:04.500+00:00",
          failed: "2026-01-01T00:01:00+00:00",
        },
        finished: "2026-01-01T00:01:00+00:00",
      }),
    );
    expect(story.stages.map((stage) => stage.phase)).toEqual(STAGES);
    expect(times(story)).toEqual([
      [0, 4.5],
      [null, null],
      [4.5, 60],
      [null, null],
      [null, null],
    ]);
    expect(story).toMatchObject({ over: true, reason: "timeout" });
  });

  it("has an image that was there", () => {
    const at = "2026-01-01T00:00:00+00:00";
    const story = begin(
      aBuild({ phase: "built", cached: true, phases: { built: at }, finished: at }),
    );
    expect(times(story)).toEqual([...Array(4).fill([null, null]), [0, 0]]);
  });

  it("has a place in the queue", () => {
    expect(begin(aBuild({ position: 3 })).position).toBe(3);
  });
});

describe("step", () => {
  it("keeps the times that the service told", () => {
    const before = begin(aBuild());
    expect(step(before, phase("waiting"), T0 + 9000).stages).toEqual(before.stages);
  });

  it("goes on by a line of the log alone", () => {
    const line: BuildEvent = { type: "log", text: "Step 1/3", phase: "building" };
    const story = step(begin(aBuild({ position: 2 })), line, T0 + 5000);
    expect(story).toMatchObject({
      phase: "building",
      message: "Building the image",
      position: null,
    });
    expect(times(story).slice(0, 3)).toEqual([
      [0, 5],
      [null, null],
      [5, null],
    ]);
  });

  it("never goes back", () => {
    const pushing = step(begin(aBuild()), phase("pushing"), T0 + 1000);
    expect(step(pushing, phase("fetching"), T0 + 2000)).toBe(pushing);
    expect(step(pushing, { type: "log", text: "Cloning into", phase: "fetching" }, T0)).toBe(
      pushing,
    );
    const over = step(pushing, phase("failed", { reason: "push-denied" }), T0 + 3000);
    expect(step(over, phase("built"), T0 + 4000)).toBe(over);
  });

  it("leaves the story as it is where nothing is said of it", () => {
    const story = begin(aBuild());
    expect(step(story, { type: "log", text: "x", phase: null }, T0)).toBe(story);
    expect(step(story, { type: "gap", message: "3 lines are lost" }, T0)).toBe(story);
  });
});

describe("refresh", () => {
  it("takes place and times from the service", () => {
    const story = step(begin(aBuild()), phase("building"), T0 + 7000);
    const told = aBuild({
      phase: "building",
      phases: { waiting: "2026-01-01T00:00:00Z", building: "2026-01-01T00:00:05Z" },
    });
    expect(times(refresh(story, told)).slice(0, 3)).toEqual([
      [0, 5],
      [null, null],
      [5, null],
    ]);
    expect(refresh(begin(aBuild({ position: 4 })), aBuild({ position: 3 })).position).toBe(3);
  });

  it("goes on where the service is further", () => {
    const told = aBuild({ phase: "failed", reason: "evicted", message: "Evicted." });
    expect(refresh(begin(aBuild()), told)).toMatchObject({ phase: "failed", reason: "evicted" });
  });

  it("does not go back to an older answer", () => {
    const built = played("events-built");
    const after = refresh(built, aBuild({ position: 2 }));
    expect(after).toMatchObject({ phase: "built", digest: built.digest, position: null });
    expect(times(after)[4]).toEqual([13, 13]);
  });
});

it("knows the ends", () => {
  expect([...STAGES, "failed", "cancelled"].filter((name) => terminal(name as Phase))).toEqual([
    "built",
    "failed",
    "cancelled",
  ]);
});
