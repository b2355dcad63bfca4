/** How a page shows who asks: by a token of the hub's, or by the service's own session. */

export interface Credentials {
  /**
   * The headers that a request needs.
   *
   * @throws Refused there are none to be had.
   */
  authorize(): Promise<Record<string, string>>;
  /** What was handed out last is not taken any more. */
  expired(): void;
}

/** The hub gave no token, with a sentence that says why. */
export class Refused extends Error {}

export interface HubTokenOptions {
  /** The hub's address, with the slash at its end: `/hub/`. */
  hub: string;
  /** Whose token: the one who is logged in. */
  user: string;
  /** The service's name: the token is good for nothing else. */
  service: string;
  /** The hub's XSRF token for this page. */
  xsrf: string;
  fetcher?: typeof fetch;
  /** Milliseconds on any clock that runs. */
  clock?: () => number;
}

/** Seconds that a token is asked for, and how long before its end the next one is. */
const LIFETIME = 3600;
const AHEAD = 120;

interface Token {
  text: string;
  /** On the clock: when another one is needed. */
  until: number;
}

/** A short-lived token for the service alone, in memory and nowhere else. */
export function hubToken(options: HubTokenOptions): Credentials {
  const clock = options.clock ?? (() => Date.now());
  let token: Promise<Token> | null = null;

  const fresh = async (): Promise<Token> => {
    const had = token;
    const found = await had?.catch(() => null);
    if (found && clock() < found.until) {
      return found;
    }
    // of several requests that find it too old, the first asks for another
    if (token === null || token === had) {
      token = requested(options, clock);
    }
    return token;
  };

  return {
    async authorize() {
      return { Authorization: `Bearer ${(await fresh()).text}` };
    },
    expired() {
      token = null;
    },
  };
}

/** The cookie of the service's own pages, which the browser adds; changes carry the XSRF token. */
export function session(xsrf: string): Credentials {
  return {
    async authorize() {
      return { "X-XSRFToken": xsrf };
    },
    expired() {},
  };
}

async function requested(options: HubTokenOptions, clock: () => number): Promise<Token> {
  const asked = clock();
  let response = await request(options, LIFETIME);
  if (response.status === 400) {
    // the hub allows less than that: what it does allow is what it gives without being asked
    response = await request(options, null);
  }
  if (!response.ok) {
    throw new Refused(
      response.status === 403
        ? "The hub does not let you use the image builder; log in again, or ask its administrator."
        : "The hub does not let you use the image builder now; reload the page.",
    );
  }
  const model: unknown = await response.json();
  const { token, created, expires_at } = model as Record<string, unknown>;
  if (typeof token !== "string") {
    throw new Refused("The hub's answer is not understood; reload the page.");
  }
  // both times are the hub's, so that it does not matter what this computer's clock says
  const lifetime = (Date.parse(String(expires_at)) - Date.parse(String(created))) / 1000;
  const seconds = lifetime > 0 ? Math.min(lifetime, LIFETIME) : LIFETIME;
  return { text: token, until: asked + Math.max(seconds - AHEAD, seconds / 2) * 1000 };
}

function request(options: HubTokenOptions, lifetime: number | null): Promise<Response> {
  const { hub, user, service, xsrf, fetcher = fetch } = options;
  return fetcher(`${hub}api/users/${encodeURIComponent(user)}/tokens`, {
    method: "POST",
    // the XSRF token goes into a header: addresses are logged
    headers: { "Content-Type": "application/json", "X-XSRFToken": xsrf },
    body: JSON.stringify({
      note: "image builder, from the browser",
      ...(lifetime !== null && { expires_in: lifetime }),
      scopes: [`access:services!service=${service}`],
    }),
  });
}
