/** A list of builds as it changes.  Pure. */

import type { Build, Change } from "../core/api.ts";
import { terminal } from "../core/story.ts";

/** The list after a change: newest first, each build once. */
export function changed(builds: readonly Build[], change: Change): readonly Build[] {
  switch (change.type) {
    case "build":
      return merged(builds, [change.build]);
    case "gone":
      return builds.filter((build) => build.id !== change.id);
    default:
      return builds;
  }
}

/** Both lists as one, newest first; what is told anew replaces what was known. */
export function merged(known: readonly Build[], told: readonly Build[]): readonly Build[] {
  const all = new Map(known.map((build) => [build.id, build]));
  for (const build of told) {
    const before = all.get(build.id);
    // an answer that was under way for long must not undo the end of a build
    if (before === undefined || !terminal(before.phase) || terminal(build.phase)) {
      all.set(build.id, build);
    }
  }
  return [...all.values()].sort((one, other) => other.created.localeCompare(one.created));
}

/**
 * A list that was read, and what was told while it was on its way.
 *
 * @param told the newest builds, of a moment that is past
 * @param meanwhile what changed since it was asked for, in order
 */
export function listed(told: readonly Build[], meanwhile: readonly Change[]): readonly Build[] {
  return meanwhile.reduce(changed, merged([], told));
}

/** Whether a build is in a user's own list: an admin is told of those of others, too. */
export function isOwn(build: Build): boolean {
  return build.mine || build.published;
}

/** The branch or tag in words; null where the commit says it all. */
export function refName({ ref, commit }: Build): string | null {
  return ref === "" || ref === commit ? null : ref === "HEAD" ? "default branch" : ref;
}

/** Of each repository and branch (or tag) the newest build: those that may have new commits. */
export function movable(builds: readonly Build[]): readonly Build[] {
  const seen = new Set<string>();
  return builds.filter((build) => {
    const key = JSON.stringify([build.repository, build.ref]);
    if (seen.has(key) || build.ref === build.commit) {
      return false;
    }
    seen.add(key);
    return build.phase === "built";
  });
}

/** Seconds that a build worked, its time in the queue not counted; null: it did not, or still does. */
export function took(build: Build): number | null {
  const { fetching, building } = build.phases;
  const began = fetching ?? building;
  if (began === undefined || build.finished === null || build.cached) {
    return null;
  }
  return Math.max(0, (Date.parse(build.finished) - Date.parse(began)) / 1000);
}

/** The builds that fit a search, by repository, branch, commit, owner or state. */
export function fitting(builds: readonly Build[], search: string): readonly Build[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return builds.filter((build) => {
    const { repository, ref, commit, owner, phase, reason } = build;
    const text = [repository, ref, commit, owner ?? "", phase, reason ?? ""]
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** An address without what all have, as a name: "github.com/org/repo". */
export function shortName(repository: string): string {
  return repository.replace(/^[a-z+]+:\/\//, "").replace(/\.git$/, "");
}
