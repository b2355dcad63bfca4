import type { Build, Phase } from "../core/api.ts";

const WORDS: Record<Phase, string> = {
  waiting: "Waiting",
  fetching: "Fetching",
  building: "Building",
  pushing: "Pushing",
  built: "Built",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Where a build is, in a word; its place in the queue, or why it failed, beside it. */
export function State({ build }: { build: Build }) {
  const more =
    build.phase === "waiting" && build.position !== null
      ? ` · ${build.position} in the queue`
      : build.phase === "failed" && build.reason !== null
        ? ` · ${build.reason}`
        : "";
  return (
    <span class={`ib-state ib-state-${build.phase}`}>
      {WORDS[build.phase]}
      {more}
    </span>
  );
}
