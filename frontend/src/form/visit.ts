/**
 * What a reload finds again.
 *
 * It is kept with the tab's entry in the browser's history: a reload has it, a link cannot set it,
 * and it is gone with the tab.
 */

/** A build that this page waits for. */
export interface Visit {
  build: string;
  /** What was asked for. */
  text: string;
  /** Whether the server starts by itself. */
  start: boolean;
  path: string;
  content: boolean;
  profile: string;
  /** Whom the server is for, and its name: another page of the same tab is another matter. */
  user: string;
  server: string;
}

const KEY = "imagebuilder";

/** What the page waited for before the reload, for that server; null: for nothing. */
export function recall(user: string, server: string): Visit | null {
  const state = history.state as Record<string, unknown> | null;
  const visit = state?.[KEY] as Visit | undefined;
  return visit && visit.user === user && visit.server === server ? visit : null;
}

/** Keep it, or forget it with null. */
export function keep(visit: Visit | null): void {
  const state = { ...(history.state as Record<string, unknown> | null) };
  delete state[KEY];
  history.replaceState(visit === null ? state : { ...state, [KEY]: visit }, "");
}
