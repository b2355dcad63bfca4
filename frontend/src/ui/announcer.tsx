import { useEffect, useRef, useState } from "preact/hooks";
import type { Story } from "../core/story.ts";
import { listen } from "./voice.ts";

/** What is said where what was pasted cannot be used; why is written beside the field. */
export const REFUSED = "There is a problem with the repository.";

/** Milliseconds that something said besides stays in the page: long enough to be spoken. */
const STAYS = 5000;

/**
 * What is said of a build when its phase changes: a sentence, never a line of the log.
 *
 * @param story null: nothing is being built
 */
export function announcement(story: Story | null): string {
  switch (story?.phase) {
    case undefined:
      return "";
    case "waiting":
      return "The build waits for its turn.";
    case "fetching":
      return "The repository is being fetched.";
    case "building":
      return "The image is being built.";
    case "pushing":
      return "The image is being pushed.";
    case "built":
      return "The image is ready.";
    case "cancelled":
      return "The build was cancelled.";
    case "failed":
      return `The build failed: ${story?.message ?? ""}`;
    default:
      return "";
  }
}

/**
 * The one live region of a page: polite, out of sight; it speaks of stages, and what is said besides
 * (`voice.ts`).
 *
 * It has to be on the page before it has something to say: render it always.
 *
 * @param props.text instead of what the story says, where a page has more to tell
 */
export function Announcer({ story = null, text }: { story?: Story | null; text?: string }) {
  const own = text ?? announcement(story);
  const [aside, setAside] = useState<{ said: string; over: string } | null>(null);
  const present = useRef(own);
  present.current = own;
  useEffect(() => listen((said) => setAside({ said, over: present.current })), []);
  useEffect(() => {
    if (!aside?.said) {
      return;
    }
    // what it was said over was spoken already: it does not come again
    const timer = setTimeout(() => setAside({ ...aside, said: "" }), STAYS);
    return () => clearTimeout(timer);
  }, [aside]);
  return (
    <div role="status" aria-live="polite" aria-atomic="true" class="ib-offscreen">
      {aside !== null && aside.over === own ? aside.said : own}
    </div>
  );
}
