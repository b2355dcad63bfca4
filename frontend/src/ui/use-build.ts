import { useEffect, useMemo, useReducer } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { Log } from "../core/log.ts";
import type { Story } from "../core/story.ts";
import type { Away, ServiceError } from "../service/errors.ts";
import { Follower, type Source } from "./follower.ts";

/** A build as it goes on. */
export interface Following {
  /** Null until the service has told of it. */
  story: Story | null;
  /** What the service said of it last. */
  build: Build | null;
  log: Log;
  /** Another number whenever anything changed. */
  version: number;
  /** Why it cannot be shown; null: it can. */
  error: ServiceError | Away | null;
  /** Whether the service does not answer just now; it is asked again. */
  away: boolean;
}

const NOTHING = { story: null, build: null, error: null, away: false };

/**
 * Follow a build from its first line on, with one render per frame however many lines come.
 *
 * What is not a line renders at once: a page that nobody sees has no frames, and it has to start
 * the server all the same.
 *
 * @param id null: nothing is followed
 */
export function useBuild(service: Source, id: string | null): Following {
  const [version, changed] = useReducer((before: number, _: undefined) => before + 1, 0);
  const follower = useMemo(() => (id === null ? null : new Follower(service, id)), [service, id]);
  useEffect(() => follower?.run(() => changed(undefined)), [follower]);
  const log = useMemo(() => follower?.log ?? new Log(), [follower]);
  return { ...NOTHING, ...follower?.now, log, version };
}
