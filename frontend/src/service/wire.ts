/** Requests to the service: who asks, how long to wait, what a failure means. */

import { EventParser, type ServerEvent } from "../core/sse.ts";
import { type Credentials, Refused } from "./credentials.ts";
import { Away, aborted, ServiceError } from "./errors.ts";

/** Milliseconds for an answer; the slowest asks a repository's host. */
const PATIENCE = 60_000;
/** Milliseconds in which a stream says something; a comment comes at least every 25 s. */
const SILENCE = 35_000;

const STREAM = "text/event-stream";

export interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Milliseconds for the answer. */
  patience?: number;
}

export class Wire {
  readonly #base: string;
  readonly #credentials: Credentials;
  readonly #fetch: typeof fetch;

  /** @param base the service's address, with the slash at its end. */
  constructor(base: string, credentials: Credentials, fetcher: typeof fetch) {
    this.#base = base;
    this.#credentials = credentials;
    // a browser's fetch wants to be called as nobody's method
    this.#fetch = (input, init) => fetcher(input, init);
  }

  /**
   * The answer to a request.
   *
   * @param path below the base, escaped.
   * @param read what is made of the answer while the time for it runs.
   * @throws ServiceError the service refused.
   * @throws Away it did not answer.
   * @throws unknown the signal's reason, where that ended it.
   */
  async ask<T>(path: string, asked: Asked, read: (response: Response) => Promise<T>): Promise<T> {
    const ended = new Deadline(asked.patience ?? PATIENCE, asked.signal);
    try {
      return await read(await this.#send(path, asked, ended.signal));
    } catch (error) {
      throw failure(error, asked.signal);
    } finally {
      ended.clear();
    }
  }

  /** The JSON of an answer; throws as {@link ask}. */
  json<T>(path: string, asked: Asked = {}): Promise<T> {
    return this.ask(path, asked, async (response) => (await response.json()) as T);
  }

  /**
   * A stream that has begun; throws as {@link ask}, while it is read, too.
   *
   * @param after id of the last event that the caller has.
   */
  async stream(
    path: string,
    after: string | null,
    signal?: AbortSignal,
  ): Promise<AsyncGenerator<ServerEvent, void, void>> {
    const silence = new Deadline(SILENCE, signal);
    const headers: Record<string, string> = { Accept: STREAM };
    if (after !== null) {
      headers["Last-Event-ID"] = after;
    }
    try {
      const response = await this.#send(path, { headers }, silence.signal);
      if (!response.body || !response.headers.get("Content-Type")?.startsWith(STREAM)) {
        throw new Away();
      }
      return read(response.body, silence, signal);
    } catch (error) {
      silence.clear();
      throw failure(error, signal);
    }
  }

  async #send(path: string, asked: Asked, signal: AbortSignal): Promise<Response> {
    const { method = "GET", body } = asked;
    let headers = await this.#credentials.authorize();
    for (let again = true; ; again = false) {
      const response = await this.#fetch(this.#base + path, {
        method,
        signal,
        cache: "no-store",
        headers: {
          ...asked.headers,
          ...(body !== undefined && { "Content-Type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (response.ok) {
        return response;
      }
      const refusal = await refused(response);
      const had = headers;
      if (again && response.status === 401) {
        this.#credentials.expired();
        headers = await this.#credentials.authorize();
      }
      // the same again would be refused again
      if (JSON.stringify(headers) === JSON.stringify(had)) {
        throw refusal;
      }
    }
  }
}

async function* read(
  body: ReadableStream<Uint8Array>,
  silence: Deadline,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerEvent, void, void> {
  const decoder = new TextDecoder();
  const parser = new EventParser();
  const reader = body.getReader();
  try {
    for (let got = await reader.read(); !got.done; got = await reader.read()) {
      silence.renew();
      yield* parser.push(decoder.decode(got.value, { stream: true }));
    }
  } catch (error) {
    throw failure(error, signal);
  } finally {
    silence.clear();
    // a stream that nobody reads on is to cost the service nothing
    await reader.cancel().catch(() => undefined);
  }
}

/** What an answer that is none says. */
async function refused(response: Response): Promise<ServiceError | Away> {
  const text = await response.text();
  let said: { reason?: unknown; message?: unknown } | null = null;
  try {
    said = JSON.parse(text);
  } catch {
    // a proxy's page: the service is not there
  }
  if (typeof said?.message !== "string" || !("reason" in said)) {
    return new Away(new Error(`status ${response.status}`));
  }
  const after = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new ServiceError(
    typeof said.reason === "string" ? said.reason : null,
    said.message,
    response.status,
    Number.isFinite(after) ? after : null,
  );
}

/** Everything that goes wrong on the way as one of ours. */
function failure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (aborted(signal)) {
    return signal?.reason;
  }
  if (error instanceof Refused) {
    return new ServiceError("authentication-required", error.message, 403);
  }
  return error instanceof ServiceError || error instanceof Away ? error : new Away(error);
}

/** Ends with the caller's signal, or when nothing has happened for too long. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #follow = () => this.#controller.abort(this.#outer?.reason);
  readonly #milliseconds: number;
  readonly #outer: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number, outer?: AbortSignal) {
    this.#milliseconds = milliseconds;
    this.#outer = outer;
    if (outer?.aborted) {
      this.#follow();
      return;
    }
    outer?.addEventListener("abort", this.#follow);
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  renew(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new Away()), this.#milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#follow);
  }
}
