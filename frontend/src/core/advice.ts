/** What a failure asks of the one who reads it. */

import type { Log } from "./log.ts";

export interface Advice {
  /** What happened, in a few words; the service's message has the details. */
  title: string;
  /** What to change, or whom to ask. */
  change: string;
  /** Whether the same request may well succeed when it is made again. */
  retry: boolean;
}

const ADMIN = "Tell the hub's administrator";

/** By the service's reasons; `reasons.json` has all of them. */
const ADVICE: Readonly<Record<string, Advice>> = {
  "spec-invalid": once(
    "That is not a repository",
    "Paste the address of a repository as your browser shows it, for example https://github.com/org/repo.",
  ),
  "spec-forbidden": once(
    "This repository may not be built here",
    "The hub's administrator decides which repositories are allowed: ask them, or choose another one.",
  ),
  "ref-not-found": once(
    "The repository, branch or tag was not found",
    "Check the spelling, and that the repository is public.",
  ),
  "provider-unavailable": again(
    "The repository's host does not answer",
    "Try again in a moment; if it goes on, look whether the host's own website works.",
  ),
  quota: again(
    "A limit on builds is reached",
    "Wait until one of the builds has ended, or cancel one of yours that you do not need.",
  ),
  "queue-timeout": again(
    "The build waited for its turn for too long",
    "Many builds were asked for at once: try again.",
  ),
  unschedulable: again(
    "There is no room for the build",
    `Try again later; if it goes on, ${lower(ADMIN)}: no node takes builds.`,
  ),
  "image-pull": again(
    "An image that the build needs cannot be fetched",
    `Try again; if it goes on, ${lower(ADMIN)}.`,
  ),
  "mount-failed": once(
    "The build could not be set up",
    `${ADMIN}: what the build needs is not there to be mounted.`,
  ),
  "engine-unavailable": again(
    "Nothing could carry out the build",
    `Try again; if it goes on, ${lower(ADMIN)}: no container engine answers.`,
  ),
  "build-failed": once(
    "A step of the build failed",
    "The marked line of the log shows what went wrong. Change the repository's environment files, commit, and build again.",
  ),
  "out-of-memory": once(
    "The build needed more memory than it may use",
    "Install fewer or smaller packages in one step, name exact versions so that solving takes less, or ask the hub's administrator for more memory.",
  ),
  "disk-full": again(
    "The disk of the builder is full",
    `${ADMIN}, or try again later. Large data is better fetched when it is needed than built into the image.`,
  ),
  evicted: again(
    "The build was interrupted to make room",
    "Nothing is wrong with the repository: try again.",
  ),
  "push-denied": once(
    "The image was built but may not be kept",
    `${ADMIN}: the registry refuses the builder's credentials.`,
  ),
  "push-failed": again(
    "The image was built but could not be kept",
    "Try again: what was built is used again, so it is faster this time.",
  ),
  "registry-unavailable": again(
    "The registry of images does not answer",
    "Try again in a moment; nothing is built until it answers.",
  ),
  "registry-denied": once(
    "The registry of images refuses the look-up",
    `${ADMIN}: the builder's credentials for the registry are wrong.`,
  ),
  timeout: once(
    "The build took longer than it may",
    "See at the end of the log what took so long. Name exact versions, install less, or ask the hub's administrator for more time.",
  ),
  "executor-lost": again("The build was lost", "Nothing is wrong with the repository: try again."),
  cancelled: again("The build was cancelled", "Build again when you want the image after all."),
  "build-not-found": once(
    "There is no such build",
    "It was deleted, or it is somebody else's. Name the repository to get its image.",
  ),
  "image-unknown": once(
    "This image was not built for you here",
    "Name the repository instead of the image.",
  ),
  "image-unusable": once(
    "The image cannot run a server",
    "A Dockerfile of the repository's own has to install the Python package jupyterhub-singleuser.",
  ),
  "authentication-required": again(
    "You are not logged in any more",
    "Log in again, and come back to this page.",
  ),
  "access-denied": once(
    "You may not do this",
    "Only the one who asked for a build first, and administrators, may do this.",
  ),
  "service-unavailable": again(
    "The image builder does not answer",
    "Try again in a moment. Builds that run go on.",
  ),
  "store-unavailable": again(
    "The history of builds does not answer",
    "Try again in a moment. Builds go on without it.",
  ),
  "still-building": again(
    "The build is not over yet",
    "Nothing is wrong: the build goes on. Start again when it is ready.",
  ),
  internal: again(
    "The image builder made a mistake",
    `Try again; if it goes on, ${lower(ADMIN)}: its log says more.`,
  ),
};

const UNKNOWN = again("Something went wrong", `Try again; if it goes on, ${lower(ADMIN)}.`);

/** What to tell about a failure; something general where the reason is unknown. */
export function advise(reason: string | null): Advice {
  const found = reason !== null && Object.hasOwn(ADVICE, reason) ? ADVICE[reason] : undefined;
  return found ?? UNKNOWN;
}

/** What programs write before or around the line that matters: BuildKit, pip in a step, times. */
const AROUND = /^(?:#\d+ (?:\d+\.\d+ )?|\d+\.\d+ |> )?\s*/;
/** Lines that name a cause, of the tools that repo2docker runs. */
const CAUSES: readonly RegExp[] = [
  /^ERROR: (?!pip's dependency resolver|failed to (?:solve|build)\b|process )/,
  /^(?:error|critical)\b:?\s+(?:libmamba|mamba|subprocess|could not|cannot|no )/i,
  /^(?:\w+\.)*\w*(?:Error|Exception|NotFound|Unsatisfiable\w*)\b: /,
  /^(?:PackagesNotFoundError|ResolvePackageNotFound|LibMambaUnsatisfiableError|CondaError)\b/,
  /nothing provides (?:requested )?\S/,
  /^E: /,
  /^Error(?: in |: )/,
  /^npm (?:ERR!|error) /,
  /^fatal: /,
  /: (?:command not found|No such file or directory|Permission denied)$/,
  /no space left on device|cannot allocate memory|^Killed$|signal: killed|exit code: 137/i,
  /^make(?:\[\d+\])?: \*\*\* /,
];
/** Lines that only say that there was one. */
const ENDS: readonly RegExp[] = [
  /returned a non-zero code: \d+/,
  /did not complete successfully: exit code/,
  /^ERROR: failed to (?:solve|build)/,
  /^\[?Error\b.*build/i,
];
/** How far from the end a cause is looked for: what is further up was survived. */
const REACH = 400;

/** The index of the line that shows why a build failed; null where none does. */
export function culprit(log: Log): number | null {
  return last(log, CAUSES) ?? last(log, ENDS);
}

function last(log: Log, patterns: readonly RegExp[]): number | null {
  const end = Math.max(0, log.length - REACH);
  for (let index = log.length - 1; index >= end; index--) {
    // what is longer is data, and nobody reads it
    const text = log.textAt(index).slice(0, 500).replace(AROUND, "").trimEnd();
    if (patterns.some((pattern) => pattern.test(text))) {
      return index;
    }
  }
  return null;
}

function once(title: string, change: string): Advice {
  return { title, change, retry: false };
}

function again(title: string, change: string): Advice {
  return { title, change, retry: true };
}

function lower(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
