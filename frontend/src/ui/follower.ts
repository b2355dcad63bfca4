import type { Build, BuildEvent } from "../core/api.ts";
import { Log } from "../core/log.ts";
import { begin, refresh, type Story, step } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import { Away, ServiceError } from "../service/errors.ts";
import { type Connection, follow, worthWaiting } from "../service/follow.ts";

/** Milliseconds between two questions to a service that does not answer. */
const PATIENCE = 3000;

interface Now {
  story: Story | null;
  build: Build | null;
  error: ServiceError | Away | null;
  away: boolean;
}

/** What of the service following takes. */
export type Source = Pick<Service, "build" | "watch">;

/** Follows one build for the components that show it; `log` and `now` are what there is to show. */
export class Follower {
  readonly log = new Log();
  now: Now = { story: null, build: null, error: null, away: false };
  #service: Source;
  #id: string;
  #changed: () => void = () => undefined;
  #signal = AbortSignal.abort();
  #frame = 0;
  #asking: Promise<void> | null = null;
  #askAgain = false;

  constructor(service: Source, id: string) {
    this.#service = service;
    this.#id = id;
  }

  /**
   * Begin to follow.
   *
   * @param changed called when there is something new: once per frame for lines, at once for the rest
   * @returns ends it; a follower is used once
   */
  run(changed: () => void): () => void {
    const ended = new AbortController();
    this.#signal = ended.signal;
    this.#changed = changed;
    this.#follow().catch((error: unknown) => this.#set({ error: known(error) }));
    return () => {
      ended.abort();
      cancelAnimationFrame(this.#frame);
    };
  }

  async #follow(): Promise<void> {
    await this.#begin();
    for await (const event of follow(this.#service, this.#id, this.#signal)) {
      if (this.#signal.aborted) {
        return;
      }
      this.#take(event);
    }
  }

  /** The build as it is; a service that does not answer is asked until it does. */
  async #begin(): Promise<void> {
    while (!this.#signal.aborted && this.now.story === null) {
      try {
        const build = await this.#service.build(this.#id, this.#signal);
        this.#set({ build, story: begin(build), away: false });
      } catch (error) {
        // one that begins to run answers that it cannot yet
        const wait = worthWaiting(error);
        this.#set({ away: true });
        await pause(Math.max(wait, PATIENCE), this.#signal);
      }
    }
  }

  #take(event: BuildEvent | Connection): void {
    if (event.type === "away" || event.type === "back") {
      this.#set({ away: event.type === "away" });
      return;
    }
    if (event.type === "log") {
      this.log.append(event.text);
    } else if (event.type === "gap") {
      this.log.append(event.message, true);
    }
    const before = this.now.story;
    const story = before && step(before, event, Date.now());
    if (event.type === "phase" || story?.phase !== before?.phase) {
      this.#set({ story });
      this.#ask();
    } else {
      this.#soon();
    }
  }

  /** Ask for times and the place in the queue: one question at a time, one more where it is late. */
  #ask(): void {
    if (this.#asking !== null) {
      this.#askAgain = true;
      return;
    }
    this.#asking = this.#service
      .build(this.#id, this.#signal)
      .then((build) => {
        const { story } = this.now;
        this.#set({ build, story: story && refresh(story, build) });
      })
      // what the events said holds without it
      .catch(() => undefined)
      .finally(() => {
        this.#asking = null;
        if (this.#askAgain && !this.#signal.aborted) {
          this.#askAgain = false;
          this.#ask();
        }
      });
  }

  #set(what: Partial<Now>): void {
    if (!this.#signal.aborted) {
      this.now = { ...this.now, ...what };
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
      this.#changed();
    }
  }

  #soon(): void {
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#changed();
      });
    }
  }
}

function known(error: unknown): ServiceError | Away {
  if (error instanceof ServiceError || error instanceof Away) {
    return error;
  }
  return new ServiceError("internal", "This page failed: reload it.", 0);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
