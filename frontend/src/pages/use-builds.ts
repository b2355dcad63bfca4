import { useCallback, useEffect, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { Away, type Service, ServiceError } from "../service/client.ts";
import { followChanges } from "../service/follow.ts";
import { changed, merged } from "./listing.ts";

const AT_ONCE = 100;
/** Milliseconds until a list that could not be had is asked for again. */
const PAUSE = 5000;

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

/** The builds that the user may see, live: a list, and then what changes in it. */
export function useBuilds(service: Service): Listing {
  const [builds, setBuilds] = useState<readonly Build[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [away, setAway] = useState(false);
  const [more, setMore] = useState(false);

  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = (): Promise<void> =>
      list().catch((problem: unknown) => {
        if (!ended.signal.aborted) {
          setAway(problem instanceof Away);
          setError(problem instanceof Away ? null : sentence(problem));
          timer = setTimeout(load, PAUSE);
        }
      });
    const list = async (): Promise<void> => {
      clearTimeout(timer);
      const told = await service.builds({ limit: AT_ONCE }, ended.signal);
      // what was shown and is gone by now: nobody told us while we were away
      const oldest = told.at(-1)?.created ?? "";
      setBuilds((known) =>
        merged(
          (known ?? []).filter((build) => build.created < oldest),
          told,
        ),
      );
      setMore((known) => known || told.length === AT_ONCE);
      setError(null);
      setAway(false);
    };
    const listen = async (): Promise<void> => {
      for await (const told of followChanges(service, ended.signal)) {
        switch (told.type) {
          case "away":
            setAway(true);
            break;
          case "back":
            break;
          case "listening":
            load();
            break;
          default:
            setBuilds((known) => changed(known ?? [], told));
        }
      }
    };
    listen().catch((problem: unknown) => ended.signal.aborted || setError(sentence(problem)));
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [service]);

  const showMore = useCallback(async () => {
    const before = builds?.at(-1)?.created;
    if (before === undefined) {
      return;
    }
    try {
      const told = await service.builds({ limit: AT_ONCE, before });
      setBuilds((known) => merged(known ?? [], told));
      setMore(told.length === AT_ONCE);
    } catch (problem) {
      setError(sentence(problem));
    }
  }, [service, builds]);

  const take = useCallback(
    (build: Build) => setBuilds((known) => merged(known ?? [], [build])),
    [],
  );
  const drop = useCallback(
    (id: string) => setBuilds((known) => changed(known ?? [], { type: "gone", id })),
    [],
  );
  return { builds, error, away, more, showMore, take, drop };
}

/** What to tell of something that went wrong. */
export function sentence(problem: unknown): string {
  if (problem instanceof ServiceError) {
    return problem.message;
  }
  if (problem instanceof Away) {
    return "The image builder does not answer just now; please try again in a minute.";
  }
  return "The page itself failed; please reload it.";
}
