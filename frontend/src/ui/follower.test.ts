import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Build, BuildEvent, Phase } from "../core/api.ts";
import { Away, ServiceError } from "../service/errors.ts";
import { Follower, type Source } from "./follower.ts";
import { build } from "./gallery-data.ts";

/** A service that tells what the test says, when the test says it. */
class Told implements Source {
  answers: (Build | Error)[] = [];
  asked = 0;
  /** What an answer waits for. */
  gate: Promise<void> = Promise.resolve();
  #events: { id: string | null; event: BuildEvent }[] = [];
  #wake: () => void = () => undefined;
  #lines = 0;

  async build(): Promise<Build> {
    this.asked += 1;
    await this.gate;
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (answer === undefined || answer instanceof Error) {
      throw answer ?? new Away();
    }
    return answer;
  }

  async watch(_id: string, _after: string | null, signal?: AbortSignal) {
    const next = () => this.#next(signal);
    return (async function* () {
      for (let told = await next(); told !== null; told = await next()) {
        yield told;
      }
    })();
  }

  line(text: string): void {
    this.#tell({ type: "log", text, phase: null }, `pod:${this.#lines++}`);
  }

  phase(phase: Phase, message = ""): void {
    this.#tell({ type: "phase", phase, message, reason: null, image: null, digest: null }, null);
  }

  #tell(event: BuildEvent, id: string | null): void {
    this.#events.push({ id, event });
    this.#wake();
  }

  async #next(signal?: AbortSignal) {
    while (this.#events.length === 0 && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal?.addEventListener("abort", () => resolve());
      });
    }
    return this.#events.shift() ?? null;
  }
}

let service: Told;
let frames: (() => void)[];
let end: () => void = () => undefined;
const changed = vi.fn();

beforeEach(() => {
  service = new Told();
  service.answers = [build("building")];
  frames = [];
  changed.mockClear();
  vi.stubGlobal("requestAnimationFrame", (frame: () => void) => frames.push(frame));
  vi.stubGlobal("cancelAnimationFrame", () => frames.splice(0));
});
afterEach(() => {
  end();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function started(): Follower {
  const follower = new Follower(service, "1");
  end = follower.run(changed);
  return follower;
}

test("a thousand lines are one render, in the next frame", async () => {
  const follower = started();
  await vi.waitFor(() => expect(follower.now.story?.phase).toBe("building"));
  changed.mockClear();
  for (let at = 0; at < 1000; at++) {
    service.line(`line ${at}`);
  }
  await vi.waitFor(() => expect(follower.log.length).toBe(1000));
  expect(changed).not.toHaveBeenCalled();
  expect(frames).toHaveLength(1);
  frames[0]?.();
  expect(changed).toHaveBeenCalledTimes(1);
});

test("a page without frames, which nobody sees, learns of the end all the same", async () => {
  const follower = started();
  service.line("last");
  service.phase("built", "It is ready.");
  await vi.waitFor(() => expect(follower.now.story?.over).toBe(true));
  expect(follower.now.story?.message).toBe("It is ready.");
  expect(changed).toHaveBeenCalled();
});

test("the place in the queue comes from the service, with one question at a time", async () => {
  service.answers = [build("waiting", { position: 5 })];
  const follower = started();
  await vi.waitFor(() => expect(follower.now.story?.position).toBe(5));
  let open: () => void = () => undefined;
  service.gate = new Promise((resolve) => {
    open = resolve;
  });
  service.answers = [build("waiting", { position: 2 })];
  for (let at = 0; at < 20; at++) {
    service.phase("waiting", `position ${at}`);
  }
  await vi.waitFor(() => expect(follower.now.story?.message).toBe("position 19"));
  expect(service.asked).toBe(2);
  open();
  await vi.waitFor(() => expect(follower.now.story?.position).toBe(2));
  // what came while the first was under way is worth one more
  await vi.waitFor(() => expect(service.asked).toBe(3));
});

test("a service that does not answer is asked again", async () => {
  vi.useFakeTimers();
  service.answers = [new Away(), build("building")];
  const follower = started();
  await vi.advanceTimersByTimeAsync(0);
  expect(follower.now.away).toBe(true);
  await vi.advanceTimersByTimeAsync(3000);
  expect(follower.now.away).toBe(false);
  expect(follower.now.story?.phase).toBe("building");
});

test("a service that is only beginning to run is asked again", async () => {
  vi.useFakeTimers();
  service.answers = [
    new ServiceError("service-unavailable", "The service starts.", 503, 1),
    build("building"),
  ];
  const follower = started();
  await vi.advanceTimersByTimeAsync(0);
  expect(follower.now.error).toBeNull();
  expect(follower.now.away).toBe(true);
  await vi.advanceTimersByTimeAsync(3000);
  expect(follower.now.story?.phase).toBe("building");
});

test("a refusal is an error", async () => {
  const refusal = new ServiceError("build-not-found", "There is no such build.", 404);
  service.answers = [refusal];
  const follower = started();
  await vi.waitFor(() => expect(follower.now.error).toBe(refusal));
});

test("what is over is not told any more", async () => {
  const follower = started();
  await vi.waitFor(() => expect(follower.now.story).not.toBeNull());
  end();
  changed.mockClear();
  service.phase("failed", "too late");
  await new Promise((resolve) => setTimeout(resolve));
  expect(changed).not.toHaveBeenCalled();
  expect(follower.now.story?.phase).toBe("building");
});
