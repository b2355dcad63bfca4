/** What is shown of a build: pure, from what the service says of it and from its events. */

import type { Build, BuildEvent, Phase } from "./api.ts";

/** The way to an image, in order. */
export const STAGES = ["waiting", "fetching", "building", "pushing", "built"] as const;
export type StagePhase = (typeof STAGES)[number];

/** One step of the way; times are milliseconds since the epoch. */
export interface Stage {
  phase: StagePhase;
  /** When it began; null: not yet, or it was passed over. */
  since: number | null;
  /** When it ended; null: not yet. */
  until: number | null;
}

export interface Story {
  phase: Phase;
  message: string;
  reason: string | null;
  /** Place in the queue, from 1. */
  position: number | null;
  /** One per phase of {@link STAGES}, in that order. */
  stages: readonly Stage[];
  over: boolean;
  image: string | null;
  digest: string | null;
}

/** What is said where only a line of the log shows that a phase has begun. */
const SENTENCES: Partial<Record<Phase, string>> = {
  fetching: "Fetching the repository",
  building: "Building the image",
  pushing: "Pushing the image to the registry",
};

/** The story so far, as the service tells it. */
export function begin(build: Build): Story {
  return {
    phase: build.phase,
    message: build.message,
    reason: build.reason,
    position: build.position,
    stages: stagesOf(build),
    over: terminal(build.phase),
    image: build.image,
    digest: build.digest,
  };
}

/**
 * The story after an event.  What was told before, as when a log is read anew, changes nothing.
 *
 * @param now when it came, for times that the service has not told yet.
 */
export function step(story: Story, event: BuildEvent, now: number): Story {
  if (event.type === "gap" || event.phase === null) {
    return story;
  }
  const { phase } = event;
  if (event.type === "log") {
    const message = SENTENCES[phase] ?? story.message;
    return rank(phase) > rank(story.phase) ? enter({ ...story, message }, phase, now) : story;
  }
  if (rank(phase) < rank(story.phase) || (story.over && phase !== story.phase)) {
    return story;
  }
  const told = {
    ...story,
    message: event.message,
    reason: event.reason,
    image: event.image ?? story.image,
    digest: event.digest ?? story.digest,
  };
  return phase === story.phase ? told : enter(told, phase, now);
}

/** The story with the place in the queue, and the times, that the service tells by now. */
export function refresh(story: Story, build: Build): Story {
  const told = begin(build);
  if (rank(told.phase) >= rank(story.phase) && !story.over) {
    return told;
  }
  // the answer is older than the last event, or as old: what it lacks stays
  const stages = told.stages.map((stage, index) => ({
    phase: stage.phase,
    since: stage.since ?? story.stages[index]?.since ?? null,
    until: stage.until ?? story.stages[index]?.until ?? null,
  }));
  return { ...story, stages, position: story.phase === "waiting" ? told.position : null };
}

/** Whether nothing follows. */
export function terminal(phase: Phase): boolean {
  return phase === "built" || phase === "failed" || phase === "cancelled";
}

function enter(story: Story, phase: Phase, now: number): Story {
  const over = terminal(phase);
  const stages = story.stages.map((stage) => {
    if (stage.phase === phase) {
      return { ...stage, since: stage.since ?? now, until: over ? (stage.until ?? now) : null };
    }
    return stage.since !== null && stage.until === null ? { ...stage, until: now } : stage;
  });
  return { ...story, phase, stages, over, position: phase === "waiting" ? story.position : null };
}

function stagesOf(build: Build): Stage[] {
  const began = STAGES.map((phase) => time(build.phases[phase] ?? null));
  const finished = time(build.finished);
  return STAGES.map((phase, index) => {
    const since = began[index] ?? null;
    const next = began.slice(index + 1).find((moment) => moment !== null) ?? finished;
    return { phase, since, until: since === null ? null : next };
  });
}

/** How far a phase is on the way; the three ends are equally far. */
function rank(phase: Phase): number {
  return terminal(phase) ? STAGES.length - 1 : STAGES.indexOf(phase as StagePhase);
}

function time(text: string | null): number | null {
  const moment = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(moment) ? null : moment;
}
