import type { Stage, Story } from "../core/story.ts";
import { elapsed } from "../core/when.ts";

const NAMES: Record<Stage["phase"], string> = {
  waiting: "Waiting",
  fetching: "Fetching",
  building: "Building",
  pushing: "Pushing",
  built: "Ready",
};
const ORDINALS = [
  "first",
  "second",
  "third",
  "fourth",
  "fifth",
  "sixth",
  "seventh",
  "eighth",
  "ninth",
  "tenth",
];
const ENDINGS: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
const rules = new Intl.PluralRules("en", { type: "ordinal" });

type State = "done" | "now" | "ahead" | "failed" | "cancelled" | "skipped";

const SPOKEN: Record<State, string> = {
  done: "done",
  now: "under way",
  ahead: "to come",
  failed: "failed",
  cancelled: "cancelled",
  skipped: "not needed",
};

/** `1` → "first", `11` → "11th". */
export function ordinal(n: number): string {
  return ORDINALS[n - 1] ?? `${n}${ENDINGS[rules.select(n)] ?? "th"}`;
}

/**
 * The five steps of a build with the time that each took, and what the present one says.
 *
 * @param props.now milliseconds since 1970, for the step under way (see `useNow`)
 */
export function Stages({ story, now }: { story: Story; now: number }) {
  const current = whereItIs(story);
  return (
    <div class="ib-stages">
      <ol aria-label="Stages of the build">
        {story.stages.map((stage, index) => {
          const state = stateOf(story, stage, index, current);
          return (
            <li
              key={stage.phase}
              class={`ib-stage ib-${state}`}
              aria-current={state === "now" ? "step" : undefined}
            >
              <span class="ib-mark" aria-hidden="true" />
              <span class="ib-stage-name">{NAMES[stage.phase]}</span>
              <span class="ib-stage-time">{timeOf(stage, state, now)}</span>
              <span class="ib-offscreen">{SPOKEN[state]}</span>
            </li>
          );
        })}
      </ol>
      <p class="ib-stage-message">{sentence(story)}</p>
    </div>
  );
}

/** Index of the stage that the build is in, or was in when it ended. */
function whereItIs(story: Story): number {
  const exact = story.stages.findIndex((stage) => stage.phase === story.phase);
  if (exact >= 0) {
    return exact;
  }
  let last = 0;
  story.stages.forEach((stage, index) => {
    last = stage.since === null ? last : index;
  });
  return last;
}

function stateOf(story: Story, stage: Stage, index: number, current: number): State {
  if (index > current) {
    return "ahead";
  }
  if (index === current) {
    if (story.phase === "failed" || story.phase === "cancelled") {
      return story.phase;
    }
    return story.phase === "built" ? "done" : "now";
  }
  return stage.since === null ? "skipped" : "done";
}

function timeOf(stage: Stage, state: State, now: number): string {
  if (stage.since === null || stage.phase === "built") {
    return "";
  }
  const until = stage.until ?? (state === "now" ? now : null);
  return until === null ? "" : elapsed((until - stage.since) / 1000);
}

function sentence(story: Story): string {
  if (story.phase === "waiting" && story.position !== null) {
    return story.position === 1
      ? "First in the queue: the next that starts."
      : `${capital(ordinal(story.position))} in the queue.`;
  }
  return story.message;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
