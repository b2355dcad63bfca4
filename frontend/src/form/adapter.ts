/** What the two kinds of forms have in common, for those who must not care which one it is. */

/** Where a profile has its free text. */
export interface Place {
  /** The profile's slug. */
  profile: string;
  /** The field whose text is submitted. */
  input: HTMLInputElement;
  /** What the panel replaces for the eye: the field with its label. */
  row: HTMLElement;
  /** The panel is put behind this: outside of a profile's label, which takes clicks for its own. */
  anchor: HTMLElement;
  /** Whether the text may also be the name of an image. */
  shared: boolean;
}

/** A spawn form that offers to build. */
export interface HubForm {
  readonly element: HTMLFormElement;
  /** Slugs of the profiles that offer to build, in the order of the page. */
  offering(): string[];
  /** The profile that is selected, if the choice to build is selected in it. */
  active(): Place | null;
  /**
   * Select the choice to build.
   *
   * @param profile its slug; null is the one that is selected, else the first that offers it
   * @returns the place, as soon as it is there; null where there is none
   */
  choose(profile: string | null): Promise<Place | null>;
  /** The hub's own button. */
  button(): HTMLElement | null;
  /** Calls back when another choice may have been made, until the returned function is called. */
  watch(changed: () => void): () => void;
}

/**
 * Set a field's text as if somebody had typed it.
 *
 * React watches the property of its own fields: only the browser's own setter gets past that.
 */
export function write(input: HTMLInputElement, text: string): void {
  if (input.value === text) {
    return;
  }
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
  setter?.call(input, text);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Whether a text can only be meant as a repository: no image's name looks like that. */
export function isAddress(text: string): boolean {
  return text.includes("://") || text.trimStart().startsWith("build:");
}
