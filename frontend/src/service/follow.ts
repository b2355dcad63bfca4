/** Streams that come back after a break: of a build to its end, of the changes for good. */

import type { BuildEvent, Change, GapEvent } from "../core/api.ts";
import { terminal } from "../core/story.ts";
import type { Service, Told } from "./client.ts";
import { Away, aborted, ServiceError } from "./errors.ts";

/** The service does not answer, or does so again. */
export type Connection = { type: "away" } | { type: "back" };

/** What comes of following a build. */
export type Followed = BuildEvent | Connection;

/** Milliseconds before the first further attempt, and before a late one. */
const SOONEST = 500;
const LATEST = 15_000;

/** What a test has in its hands. */
export interface Nature {
  /** From 0 to 1. */
  random: () => number;
  /** Returns after so many milliseconds, or when the signal is aborted. */
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

const NATURE: Nature = { random: Math.random, sleep };

/**
 * A build's events to its end, across breaks: no line twice, none left out that the service has.
 *
 * Ends with the terminal phase, or when the signal is aborted.
 *
 * @throws ServiceError the build is gone, or the caller may not see it.
 */
export async function* follow(
  service: Pick<Service, "watch">,
  id: string,
  signal?: AbortSignal,
  nature: Nature = NATURE,
): AsyncGenerator<Followed, void, void> {
  const seen = new Seen();
  const open = () => service.watch(id, seen.last, signal);
  for await (const told of lasting(open, signal, nature)) {
    if ("type" in told) {
      if (told.type === "away") {
        seen.interrupted();
      }
      yield told;
      continue;
    }
    yield* seen.fresh(told);
    if (told.event.type === "phase" && terminal(told.event.phase)) {
      return;
    }
  }
}

/**
 * What changes, across breaks.  After `back` the list has to be read again: what changed meanwhile
 * is not told.
 *
 * @throws ServiceError the caller may not see it.
 */
export async function* followChanges(
  service: Pick<Service, "watchChanges">,
  signal?: AbortSignal,
  nature: Nature = NATURE,
): AsyncGenerator<Change | Connection, void, void> {
  const open = async () => wrapped(await service.watchChanges(signal));
  for await (const told of lasting(open, signal, nature)) {
    yield "type" in told ? told : told.change;
  }
}

async function* wrapped(changes: AsyncGenerator<Change, void, void>) {
  for await (const change of changes) {
    yield { change };
  }
}

/** Opens a stream again and again; says so where one was broken, and when there is one again. */
async function* lasting<T extends object>(
  open: () => Promise<AsyncGenerator<T, void, void>>,
  signal: AbortSignal | undefined,
  nature: Nature,
): AsyncGenerator<T | Connection, void, void> {
  let failures = 0;
  let away = false;
  while (!aborted(signal)) {
    let wait = 0;
    try {
      const stream = await open();
      if (away) {
        away = false;
        yield { type: "back" };
      }
      for await (const told of stream) {
        failures = 0;
        yield told;
      }
    } catch (error) {
      if (aborted(signal)) {
        return;
      }
      wait = worthWaiting(error);
    }
    if (!away && !aborted(signal)) {
      away = true;
      yield { type: "away" };
    }
    const most = Math.min(LATEST, SOONEST * 2 ** failures);
    failures += 1;
    // apart from each other: a service that comes back is not to be met by all at once
    await nature.sleep(Math.max(wait, most * (0.5 + nature.random() / 2)), signal);
  }
}

/** Milliseconds that the service wants to be left alone for; throws what will not change. */
export function worthWaiting(error: unknown): number {
  if (error instanceof ServiceError && (error.status >= 500 || error.status === 429)) {
    return (error.retryAfter ?? 0) * 1000;
  }
  if (error instanceof Away) {
    return 0;
  }
  throw error;
}

/**
 * What was told already, of a stream that may be read anew from its start.
 *
 * A line is known by its id.  A gap has none: after a break, one that was shown behind the last
 * line may come again, and one that comes before a line that is known was shown before it.
 */
class Seen {
  /** The id of the last line. */
  last: string | null = null;
  /** The highest index of each source. */
  readonly #highest = new Map<string, number>();
  /** Gaps that were shown behind the last line. */
  #shown: string[] = [];
  /** Whether what comes is certain to be new. */
  #settled = true;
  #expected: string[] = [];
  #held: GapEvent[] = [];

  interrupted(): void {
    this.#settled = false;
    this.#expected = [...this.#shown];
    this.#held = [];
  }

  /** What of it is new, in order. */
  *fresh(told: Told): Generator<BuildEvent, void, void> {
    const { id, event } = told;
    if (event.type === "gap") {
      if (!this.#settled && !this.#known(event)) {
        this.#held.push(event);
      } else if (this.#settled) {
        this.#shown.push(event.message);
        yield event;
      }
      return;
    }
    if (event.type === "log" && id !== null && !this.#note(id)) {
      this.#expected = [...this.#shown];
      this.#held = [];
      return;
    }
    if (event.type === "log" || terminal(event.phase)) {
      yield* this.#held;
      this.#settled = true;
      this.#held = [];
      this.#shown = [];
    }
    yield event;
  }

  #known(gap: GapEvent): boolean {
    if (this.#expected[0] !== gap.message) {
      return false;
    }
    this.#expected.shift();
    return true;
  }

  /** Whether the line is a new one. */
  #note(id: string): boolean {
    const colon = id.lastIndexOf(":");
    const source = id.slice(0, colon);
    const index = Number(id.slice(colon + 1));
    if (index <= (this.#highest.get(source) ?? -1)) {
      return false;
    }
    this.#highest.set(source, index);
    this.last = id;
    return true;
  }
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
    if (aborted(signal)) {
      done();
    }
  });
}
