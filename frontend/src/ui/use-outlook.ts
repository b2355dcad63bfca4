import { useCallback, useEffect, useState } from "preact/hooks";
import type { Outlook } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { Away, ServiceError } from "../service/errors.ts";

/** Milliseconds without a key before what was typed is looked up. */
const PAUSE = 300;

/** What the service says of a text. */
export interface Asked {
  /** The last good answer; null: there is none, or the text is empty. */
  known: Outlook | null;
  /** Whether `known` or `error` is about the text that is there now. */
  settled: boolean;
  error: ServiceError | null;
  away: boolean;
  /** Ask again. */
  again: () => void;
}

interface Answer {
  text: string;
  known: Outlook | null;
  error: ServiceError | null;
  away: boolean;
}

const NONE: Answer = { text: "", known: null, error: null, away: false };

/**
 * Ask what a text means, as it is typed: the former question is given up, its answer stays in
 * sight until there is a new one.
 *
 * @param text empty: nothing is asked
 */
export function useOutlook(service: Pick<Service, "resolve">, text: string): Asked {
  const [answer, setAnswer] = useState<Answer>(NONE);
  const [attempt, setAttempt] = useState(0);
  const wanted = text.trim();
  useEffect(() => {
    if (wanted === "") {
      setAnswer(NONE);
      return;
    }
    setAnswer((before) => ({ ...before, text: before.text === wanted ? "" : before.text }));
    const ended = new AbortController();
    const timer = setTimeout(
      () => {
        service.resolve(wanted, ended.signal).then(
          (known) => settle({ text: wanted, known, error: null, away: false }),
          (error: unknown) => settle({ ...NONE, text: wanted, ...failure(error) }),
        );
      },
      attempt === 0 ? PAUSE : 0,
    );
    const settle = (next: Answer): void => {
      if (!ended.signal.aborted) {
        setAnswer(next);
      }
    };
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [service, wanted, attempt]);
  const again = useCallback(() => {
    setAnswer((before) => ({ ...before, text: "" }));
    setAttempt((before) => before + 1);
  }, []);
  const settled = wanted === "" || answer.text === wanted;
  return { known: answer.known, error: answer.error, away: answer.away, settled, again };
}

/** A failure in the two ways that there are: the service refuses, or it is away. */
export function failure(error: unknown): { error: ServiceError | null; away: boolean } {
  if (error instanceof Away) {
    return { error: null, away: true };
  }
  return {
    error:
      error instanceof ServiceError
        ? error
        : new ServiceError("internal", "The page itself failed: reload it.", 0, null),
    away: false,
  };
}
