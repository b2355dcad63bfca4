/** What is said besides: that something was copied, or deleted. */

type Listener = (text: string) => void;

let listener: Listener | null = null;
let odd = false;

/** Have the page's `Announcer` say something. */
export function say(text: string): void {
  odd = !odd;
  // the same words again are no change, which is what screen readers speak
  listener?.(odd ? text : `${text}\u00a0`);
}

/** Be told of what is said; the last one that listens is.  Returns what ends it. */
export function listen(heard: Listener): () => void {
  listener = heard;
  return () => {
    if (listener === heard) {
      listener = null;
    }
  };
}
