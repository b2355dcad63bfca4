/** A service for tests: answers what a test says, over real streams of bytes. */

export interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
}

/** An answer, or what a test makes of a request. */
export type Reply = Response | Error | ((request: Request, signal: AbortSignal | null) => Response);

/** Answers requests in their order, and remembers them. */
export class FakeServer {
  readonly asked: Request[] = [];
  readonly #replies: Reply[];

  constructor(...replies: Reply[]) {
    this.#replies = replies;
  }

  fetch: typeof fetch = async (input, init) => {
    const request = {
      method: init?.method ?? "GET",
      path: String(input),
      headers: { ...(init?.headers as Record<string, string>) },
      body: typeof init?.body === "string" ? JSON.parse(init.body) : null,
    };
    this.asked.push(request);
    const reply = this.#replies.shift();
    init?.signal?.throwIfAborted();
    if (reply === undefined || reply instanceof Error) {
      throw reply ?? new Error(`nobody expected ${request.method} ${request.path}`);
    }
    return typeof reply === "function" ? reply(request, init?.signal ?? null) : reply;
  };
}

export function json(document: unknown, status = 200, headers: Record<string, string> = {}) {
  return new Response(JSON.stringify(document), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

export function refusal(reason: string | null, status: number, headers = {}): Response {
  return json({ reason, message: `Refused: ${reason}.` }, status, headers);
}

/** A stream of these pieces; ends behind them, or breaks with an error. */
export function stream(pieces: (string | Uint8Array)[], end?: Error): Response {
  const encoder = new TextEncoder();
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece !== undefined) {
        controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
      } else if (end) {
        controller.error(end);
      } else {
        controller.close();
      }
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/** A stream that says this and then nothing, until the reader goes away. */
export function silent(text: string, signal: AbortSignal | null, gone: () => void): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      signal?.addEventListener("abort", () => {
        controller.error(signal.reason);
        gone();
      });
    },
    cancel: gone,
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

export async function all<T>(told: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of told) {
    found.push(one);
  }
  return found;
}
