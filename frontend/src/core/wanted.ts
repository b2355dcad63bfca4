/**
 * What was asked for in the form, for the page that carries it out.
 *
 * An address alone could be anybody's link, and what a browser says of the page before is lost in a
 * login: so the form leaves a note in the tab, which no link can write.
 */

/** The browser's `sessionStorage`: it is the tab's, and of this origin. */
export interface Notes {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const KEY = "imagebuilder-content";

/**
 * Note that an address was asked for, and drop what was noted before.
 *
 * @param address null: none
 * @param notes a function: a browser may refuse to hand them out
 */
export function want(address: string | null, notes: () => Notes): void {
  try {
    notes().removeItem(KEY);
    if (address !== null) {
      notes().setItem(KEY, asked(address));
    }
  } catch {
    // then the page asks once more
  }
}

/** Whether an address was asked for in this tab; true once. */
export function wasWanted(address: string, notes: () => Notes): boolean {
  try {
    const wanted = notes().getItem(KEY) === asked(address);
    notes().removeItem(KEY);
    return wanted;
  } catch {
    return false;
  }
}

/** What is asked, however its address is escaped on the way. */
function asked(address: string): string {
  const query = address.slice(address.indexOf("?") + 1);
  return `${new URLSearchParams(query)}`;
}
