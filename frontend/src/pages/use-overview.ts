import { useEffect, useRef, useState } from "preact/hooks";
import type { Overview } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { Away, sentence } from "../service/errors.ts";

/** Milliseconds between two questions: builds of a whole hub change often. */
const PAUSE = 2000;

/**
 * The figures of the hub, asked for again when something changed, but not all the time.
 *
 * @param state another text whenever they may be different
 */
export function useOverview(service: Service, state: string) {
  const [overview, setOverview] = useState<Overview | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const next = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the state says when to ask again
  useEffect(() => {
    const ended = new AbortController();
    const ask = (): void => {
      next.current = Date.now() + PAUSE;
      service.overview(ended.signal).then(
        (told) => {
          if (!ended.signal.aborted) {
            setOverview(told);
            setProblem(null);
          }
        },
        (failed: unknown) => {
          // that the service is away is said once, for the page
          if (!ended.signal.aborted && !(failed instanceof Away)) {
            setProblem(sentence(failed));
          }
        },
      );
    };
    const timer = setTimeout(ask, Math.max(0, next.current - Date.now()));
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [service, state]);
  return { overview, problem };
}
