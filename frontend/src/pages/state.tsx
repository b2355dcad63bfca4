import type { Build, Phase } from "../core/api.ts";
import { ordinal } from "../ui/index.ts";

const WORDS: Record<Phase, string> = {
  waiting: "Waiting",
  fetching: "Fetching",
  building: "Building",
  pushing: "Pushing",
  built: "Built",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Where a build is, in a word. */
export function wordFor(phase: Phase): string {
  return WORDS[phase];
}

/** Where a build is, with its place in the queue. */
export function State({ build }: { build: Build }) {
  const { phase, position } = build;
  const place = phase === "waiting" && position !== null;
  return (
    <span class={`ib-state ib-state-${phase}`}>
      {WORDS[phase]}
      {place && `, ${ordinal(position)} in the queue`}
    </span>
  );
}
