/** The service's REST API; what is said and told is in core/api.ts. */

import type {
  Build,
  BuildEvent,
  Change,
  Limits,
  Outlook,
  Overview,
  Provider,
  Recent,
  Refs,
} from "../core/api.ts";
import type { ServerEvent } from "../core/sse.ts";
import type { Credentials } from "./credentials.ts";
import { Away } from "./errors.ts";
import { Wire } from "./wire.ts";

export { Away, ServiceError } from "./errors.ts";

/** Milliseconds for a whole log, over a slow network. */
const LOG_PATIENCE = 600_000;

/** One event of a build, and the id behind which a stream resumes; null where it has none. */
export interface Told {
  id: string | null;
  event: BuildEvent;
}

/** Which builds to list. */
export interface Listing {
  /** How many at most, to 1000; 100 otherwise. */
  limit?: number;
  /** The `created` of the last build of the listing before. */
  before?: string;
  /** For an admin, too: only what is their own, or published. */
  own?: boolean;
}

/** Every method throws ServiceError or Away, and the signal's reason where that is aborted. */
export class Service {
  readonly #wire: Wire;

  /**
   * @param base the service's address, with the slash at its end; of this origin or another.
   */
  constructor(base: string, credentials: Credentials, fetcher: typeof fetch = fetch) {
    this.#wire = new Wire(base, credentials, fetcher);
  }

  /** What a repository means now, and what building it would do; nothing is begun. */
  resolve(text: string, signal?: AbortSignal): Promise<Outlook> {
    return this.#wire.json("api/resolve", { method: "POST", body: { repository: text }, signal });
  }

  /** Branches and tags of a repository. */
  refs(text: string, signal?: AbortSignal): Promise<Refs> {
    return this.#wire.json(`api/refs?${new URLSearchParams({ repository: text })}`, { signal });
  }

  /** What the caller asked for before, newest first. */
  async repositories(signal?: AbortSignal): Promise<Recent[]> {
    const { repositories } = await this.#wire.json<{ repositories: Recent[] }>("api/repositories", {
      signal,
    });
    return repositories;
  }

  /**
   * Finds the image, builds it, or joins the build under way.
   *
   * @param commit builds this one, whatever the ref means by now.
   */
  begin(text: string, commit?: string): Promise<Build> {
    const body = { repository: text, ...(commit !== undefined && { commit }) };
    return this.#wire.json("api/builds", { method: "POST", body });
  }

  build(id: string, signal?: AbortSignal): Promise<Build> {
    return this.#wire.json(path(id), { signal });
  }

  /** The builds that the caller may see, newest first. */
  async builds(listing: Listing = {}, signal?: AbortSignal): Promise<Build[]> {
    const query = new URLSearchParams();
    if (listing.limit !== undefined) {
      query.set("limit", String(listing.limit));
    }
    if (listing.before !== undefined) {
      query.set("before", listing.before);
    }
    if (listing.own) {
      query.set("own", "true");
    }
    const answer = await this.#wire.json<{ builds: Build[] }>(`api/builds?${query}`, { signal });
    return answer.builds;
  }

  /** Ends a build for everyone who waits for it. */
  cancel(id: string): Promise<Build> {
    return this.#wire.json(path(id, "cancel"), { method: "POST", body: {} });
  }

  /** Builds the same commit again. */
  rebuild(id: string): Promise<Build> {
    return this.#wire.json(path(id, "rebuild"), { method: "POST", body: {} });
  }

  /** Deletes a build that is over from the history. */
  forget(id: string): Promise<void> {
    return this.#wire.ask(path(id), { method: "DELETE" }, nothing);
  }

  /** Puts a build into everybody's list, or takes it out; for admins. */
  publish(id: string, on: boolean): Promise<void> {
    return this.#wire.ask(path(id, "published"), { method: on ? "PUT" : "DELETE" }, nothing);
  }

  /** The kinds of repositories that can be built. */
  async providers(signal?: AbortSignal): Promise<Provider[]> {
    const answer = await this.#wire.json<{ providers: Provider[] }>("api/providers", { signal });
    return answer.providers;
  }

  /** The limits in force for the caller, and what of them is used. */
  limits(signal?: AbortSignal): Promise<Limits> {
    return this.#wire.json("api/limits", { signal });
  }

  /** What goes on; for admins. */
  overview(signal?: AbortSignal): Promise<Overview> {
    return this.#wire.json("api/overview", { signal });
  }

  /** A build's log as text, to its end: not for one that goes on. */
  log(id: string, signal?: AbortSignal): Promise<Blob> {
    const asked = { signal, patience: LOG_PATIENCE };
    return this.#wire.ask(path(id, "log"), asked, (response) => response.blob());
  }

  /**
   * A build's events so far, then live, until it is over or the connection is.
   *
   * @param after id of the last line that the caller has.
   */
  async *events(
    id: string,
    after: string | null = null,
    signal?: AbortSignal,
  ): AsyncGenerator<Told, void, void> {
    yield* await this.watch(id, after, signal);
  }

  /** The same; returns when the service has begun to answer. */
  async watch(
    id: string,
    after: string | null = null,
    signal?: AbortSignal,
  ): Promise<AsyncGenerator<Told, void, void>> {
    const stream = await this.#wire.stream(path(id, "events"), after, signal);
    return read(stream, ({ id, data }) => ({ id, event: parsed<BuildEvent>(data) }));
  }

  /** What changes in the builds that the caller may see, from now on. */
  async *changes(signal?: AbortSignal): AsyncGenerator<Change, void, void> {
    yield* await this.watchChanges(signal);
  }

  /** The same; returns when nothing that comes from then on is missed. */
  async watchChanges(signal?: AbortSignal): Promise<AsyncGenerator<Change, void, void>> {
    const stream = await this.#wire.stream("api/changes", null, signal);
    return read(stream, ({ data }) => parsed<Change>(data));
  }
}

async function* read<T>(
  stream: AsyncGenerator<ServerEvent, void, void>,
  make: (event: ServerEvent) => T,
): AsyncGenerator<T, void, void> {
  for await (const event of stream) {
    yield make(event);
  }
}

function parsed<T>(data: string): T {
  try {
    return JSON.parse(data) as T;
  } catch (error) {
    throw new Away(error);
  }
}

function path(id: string, verb?: string): string {
  const one = `api/builds/${encodeURIComponent(id)}`;
  return verb === undefined ? one : `${one}/${verb}`;
}

async function nothing(): Promise<void> {}
