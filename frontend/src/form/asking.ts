/** What helps while one writes: branches and tags, and repositories that one had before. */

import { useEffect, useState } from "preact/hooks";
import type { Provider, Recent, Refs } from "../core/api.ts";
import type { Service } from "../service/client.ts";

/** Branches and tags of a repository; null: not known (yet), which is no failure. */
export function useRefs(service: Service, repository: string | null): Refs | null {
  const [found, setFound] = useState<{ repository: string; refs: Refs } | null>(null);
  useEffect(() => {
    if (repository === null) {
      return;
    }
    const ended = new AbortController();
    service.refs(repository, ended.signal).then(
      (refs) => ended.signal.aborted || setFound({ repository, refs }),
      // one can write a ref all the same
      () => undefined,
    );
    return () => ended.abort();
  }, [service, repository]);
  return found !== null && found.repository === repository ? found.refs : null;
}

/** What helps to begin with: the kinds of repositories, and the ones asked for before. */
export interface Hints {
  providers: Provider[];
  recent: Recent[];
}

/** Asked for once, as soon as somebody chooses to build. */
export function useHints(service: Service, wanted: boolean): Hints {
  const [hints, setHints] = useState<Hints>({ providers: [], recent: [] });
  useEffect(() => {
    if (!wanted) {
      return;
    }
    const add = (part: Partial<Hints>): void => setHints((before) => ({ ...before, ...part }));
    // without them one types
    service.providers().then(
      (providers) => add({ providers }),
      () => undefined,
    );
    service.repositories().then(
      (recent) => add({ recent }),
      () => undefined,
    );
  }, [service, wanted]);
  return hints;
}
