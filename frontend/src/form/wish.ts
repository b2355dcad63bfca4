import { useCallback, useState } from "preact/hooks";
import type { Outlook } from "../core/api.ts";
import { isAddress } from "./adapter.ts";

/** The ref that stands for a default branch. */
export const HEAD = "HEAD";

/** What a user has written so far. */
export interface Draft {
  /** The repository's field. */
  text: string;
  /** A ref that was chosen beside it; null: the text says it. */
  ref: string | null;
  /** What to open in the server. */
  path: string;
  /** Whether the repository's content goes into the home. */
  content: boolean;
  /** Whether it comes from a link, and nobody changed it. */
  linked: boolean;
  /** Whether the text was there before anybody typed: it may be rewritten. */
  given: boolean;
}

export const EMPTY: Draft = {
  text: "",
  ref: null,
  path: "",
  content: false,
  linked: false,
  given: false,
};

/** A draft, and what can be done to it. */
export interface Editing {
  draft: Draft;
  /** What the service is asked. */
  asked: string;
  setText: (text: string) => void;
  /** @param repository what the text meant, without a ref */
  setRef: (ref: string, repository: string) => void;
  setPath: (path: string) => void;
  setContent: (content: boolean) => void;
  replace: (draft: Draft) => void;
  /** Show what a short spelling means as one would write it. */
  spellOut: (known: Outlook) => void;
}

/** The fields of the panel. */
export function useDraft(initial: Draft): Editing {
  const [draft, replace] = useState(initial);
  const change = useCallback((part: Partial<Draft>) => {
    replace((before) => ({ ...before, ...part }));
  }, []);
  const spellOut = useCallback((known: Outlook) => {
    replace((before) =>
      before.text.startsWith("build:")
        ? { ...before, text: known.repository, ref: known.ref }
        : before,
    );
  }, []);
  return {
    draft,
    asked: askedOf(draft),
    setText: useCallback(
      (text) => change({ text, ref: null, linked: false, given: false }),
      [change],
    ),
    setRef: useCallback((ref, repository) => {
      // the text may name another ref: from here on the field beside it counts
      replace((before) => ({
        ...before,
        ref,
        text: before.ref === null ? repository : before.text,
      }));
    }, []),
    setPath: useCallback((path) => change({ path }), [change]),
    setContent: useCallback((content) => change({ content }), [change]),
    replace,
    spellOut,
  };
}

/** The text that repository and ref come to. */
export function askedOf({ text, ref }: Pick<Draft, "text" | "ref">): string {
  const repository = text.trim();
  const wanted = ref?.trim() ?? "";
  return repository === "" || wanted === "" || wanted === HEAD
    ? repository
    : `${repository}@${wanted}`;
}

/**
 * What the form submits: what was written, where the hub knows it for a repository.
 *
 * @param known what the service said of it
 */
export function submitted(asked: string, known: Pick<Outlook, "provider" | "spec">): string {
  return isAddress(asked) ? asked : `build:${known.provider}/${known.spec}`;
}
