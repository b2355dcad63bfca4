import type { Story } from "../core/story.ts";

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
 * The one live region of a page: polite, out of sight, and it speaks of stages only.
 *
 * It has to be on the page before it has something to say: render it always.
 *
 * @param props.text instead of what the story says, where a page has more to tell
 */
export function Announcer({ story = null, text }: { story?: Story | null; text?: string }) {
  return (
    <div role="status" aria-live="polite" aria-atomic="true" class="ib-offscreen">
      {text ?? announcement(story)}
    </div>
  );
}
