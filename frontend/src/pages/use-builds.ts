import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Build, Change } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { Away, sentence } from "../service/errors.ts";
import { followChanges } from "../service/follow.ts";
import { changed, listed, merged } from "./listing.ts";

const AT_ONCE = 100;
/** Milliseconds until a list that could not be had is asked for again. */
const PAUSE = 5000;
/** Milliseconds without the service that are not worth a word. */
const PATIENCE = 700;

/** Builds as they change. */
export interface Listing {
  /** Newest first; null until the service has answered. */
  builds: readonly Build[] | null;
  /** What went wrong with the list as a whole; null: nothing. */
  error: string | null;
  /** Whether the service does not answer just now; it is asked again. */
  away: boolean;
  /** Whether there are older ones. */
  more: boolean;
  showMore: () => void;
  /** Take over what an answer said, before the change comes by itself. */
  take: (build: Build) => void;
  drop: (id: string) => void;
}

/**
 * The builds that the user may see, live: a list, and then what changes in it.
 *
 * @param own whether an admin, too, gets only their own and published ones; changes tell of all
 */
export function useBuilds(service: Service, own = false): Listing {
  const [builds, setBuilds] = useState<readonly Build[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [away, setAway] = useState(false);
  const [more, setMore] = useState(false);
  // of the last that was listed: changes tell of older ones, too
  const oldest = useRef<string | null>(null);
  // what was told while a list is on its way, which may know less
  const meanwhile = useRef<Change[]>([]);

  const note = useCallback((change: Change): void => {
    meanwhile.current.push(change);
    setBuilds((known) => (known === null ? null : changed(known, change)));
  }, []);

  useEffect(() => {
    const ended = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    let silence: ReturnType<typeof setTimeout> | undefined;
    let round = 0;
    const lost = (): void => {
      silence ??= setTimeout(() => setAway(true), PATIENCE);
    };
    const found = (): void => {
      clearTimeout(silence);
      silence = undefined;
      setAway(false);
      setError(null);
    };
    const load = async (): Promise<void> => {
      round += 1;
      const turn = round;
      const late = () => ended.signal.aborted || turn !== round;
      clearTimeout(retry);
      meanwhile.current = [];
      try {
        const told = await service.builds({ limit: AT_ONCE, own }, ended.signal);
        if (late()) {
          return;
        }
        setBuilds(listed(told, meanwhile.current));
        oldest.current = told.at(-1)?.created ?? null;
        setMore(told.length === AT_ONCE);
        found();
      } catch (problem) {
        if (late()) {
          return;
        }
        problem instanceof Away ? lost() : setError(sentence(problem));
        retry = setTimeout(load, PAUSE);
      }
    };
    const listen = async (): Promise<void> => {
      for await (const told of followChanges(service, ended.signal)) {
        if (told.type === "away") {
          lost();
        } else if (told.type === "listening") {
          load();
        } else if (told.type !== "back") {
          note(told);
        }
      }
    };
    listen().catch((problem: unknown) => {
      if (!ended.signal.aborted) {
        found();
        setError(sentence(problem));
      }
    });
    return () => {
      ended.abort();
      clearTimeout(retry);
      clearTimeout(silence);
    };
  }, [service, note, own]);

  const showMore = useCallback(async () => {
    const before = oldest.current;
    if (before === null) {
      return;
    }
    try {
      const told = await service.builds({ limit: AT_ONCE, before, own });
      // a second click, or a list read anew meanwhile
      if (oldest.current !== before) {
        return;
      }
      oldest.current = told.at(-1)?.created ?? before;
      setBuilds((known) => merged(told, known ?? []));
      setMore(told.length === AT_ONCE);
      setError(null);
    } catch (problem) {
      setError(sentence(problem));
    }
  }, [service, own]);

  const take = useCallback((build: Build) => note({ type: "build", build }), [note]);
  const drop = useCallback((id: string) => note({ type: "gone", id }), [note]);
  return { builds, error, away, more, showMore, take, drop };
}
