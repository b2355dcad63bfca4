/** What the gallery shows. */

import type { Build, Phase } from "../core/api.ts";
import { begin, type Story } from "../core/story.ts";

/** When all of them began. */
export const T0 = "2026-03-02T10:00:00Z";
const ORDER: Phase[] = ["waiting", "fetching", "building", "pushing", "built"];
const SECONDS = [0, 5, 12, 95, 118];
const ESCAPE = "\u001b[";

/** A build in a phase, as the service tells of it. */
export function build(phase: Phase, more: Partial<Build> = {}): Build {
  const reached = ORDER.includes(phase) ? ORDER.indexOf(phase) : 2;
  const phases = Object.fromEntries(
    ORDER.slice(0, reached + 1).map((name, at) => [name, moment(SECONDS[at] ?? 0)]),
  );
  const over = !["waiting", "fetching", "building", "pushing"].includes(phase);
  return {
    id: "1",
    phase,
    message: `The message of ${phase}.`,
    reason: null,
    provider: "gh",
    spec: "org/repo/main",
    repository: "https://github.com/org/repo",
    ref: "main",
    commit: "0123456789abcdef0123456789abcdef01234567",
    image: "registry.example.org/org-repo:0123456",
    pinned: "registry.example.org/org-repo:0123456",
    digest: null,
    cached: false,
    created: T0,
    phases,
    finished: over ? moment(118) : null,
    position: null,
    owner: "alice",
    mine: true,
    published: false,
    size: null,
    ...more,
  };
}

export function story(phase: Phase, more: Partial<Build> = {}): Story & { build: Build } {
  const told = build(phase, more);
  return { ...begin(told), build: told };
}

/** Lines as builds print them. */
export function lines(count: number, coloured: boolean): string[] {
  return Array.from({ length: count }, (_, at) => {
    switch (at % 7) {
      case 0:
        return `#${at} [stage ${at % 20}/20] RUN mamba install --yes numpy scipy pandas`;
      case 1:
        return coloured
          ? `${ESCAPE}32m✔${ESCAPE}0m package-${at}  ${ESCAPE}2m1.${at}${ESCAPE}0m`
          : "";
      case 2:
        return `  Downloading https://files.example.org/packages/package_${at}-1.0-py3-none-any.whl (${at % 90}.4 MB), which is a line that is longer than a screen of a phone is wide`;
      case 3:
        return coloured
          ? `${ESCAPE}33mWARNING${ESCAPE}0m: the script ${ESCAPE}1mtool-${at}${ESCAPE}22m is not on PATH`
          : `WARNING: the script tool-${at} is not on PATH`;
      case 4:
        return "";
      case 5:
        return coloured ? `${ESCAPE}1;34m==>${ESCAPE}0m Linking ${at}` : `Linking ${at}`;
      default:
        return `Collecting package-${at}`;
    }
  });
}

function moment(seconds: number): string {
  return new Date(Date.parse(T0) + seconds * 1000).toISOString();
}
