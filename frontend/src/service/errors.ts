/** What can come of a request. */

/** The service refused, with a reason and a sentence. */
export class ServiceError extends Error {
  constructor(
    /** One of core/reasons.json, mostly; null where the service has none for it. */
    readonly reason: string | null,
    message: string,
    readonly status: number,
    /** Seconds after which it is worth another try, where the service knows. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = "ServiceError";
  }
}

/** No answer, or one that is not the service's: it is away, or the network is. */
export class Away extends Error {
  constructor(cause?: unknown) {
    super("The image builder does not answer; try again in a moment.", { cause });
    this.name = "Away";
  }
}

/** What to tell a user of something that went wrong. */
export function sentence(problem: unknown): string {
  return problem instanceof ServiceError || problem instanceof Away
    ? problem.message
    : "The page itself failed; please reload it.";
}

/** Whether the caller ended it. */
export function aborted(signal: AbortSignal | null | undefined): boolean {
  return signal?.aborted === true;
}
