import { useEffect, useRef, useState } from "preact/hooks";
import type { Log } from "../core/log.ts";

/** While lines arrive, the search is made again at most this often (milliseconds). */
const AGAIN = 250;

/** A search in a log. */
export interface Find {
  query: string;
  /** Lines that have it. */
  lines: readonly number[];
  /** Which of them is shown; null: none yet. */
  at: number | null;
  ask: (query: string) => void;
  /** To the next, or the one before; around at the ends. */
  go: (by: 1 | -1) => void;
}

/**
 * Find text in a log that may still grow; what is shown stays while it does.
 *
 * @param version another number whenever lines came
 */
export function useFind(log: Log, version: number): Find {
  const [query, setQuery] = useState("");
  const [lines, setLines] = useState<readonly number[]>([]);
  const [at, setAt] = useState<number | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const latest = useRef(query);
  latest.current = query;
  useEffect(() => () => clearTimeout(timer.current), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines that came are the reason
  useEffect(() => {
    if (query !== "" && timer.current === undefined) {
      timer.current = setTimeout(() => {
        timer.current = undefined;
        setLines(latest.current === "" ? [] : log.search(latest.current));
      }, AGAIN);
    }
  }, [log, version]);
  const ask = (text: string): void => {
    const found = text === "" ? [] : log.search(text);
    setQuery(text);
    setLines(found);
    setAt(found.length > 0 ? 0 : null);
  };
  const go = (by: 1 | -1): void => {
    if (lines.length > 0) {
      const from = at ?? (by === 1 ? -1 : 0);
      setAt((from + by + lines.length) % lines.length);
    }
  };
  return { query, lines, at, ask, go };
}
