/** What the hub's button says, and what is spoken.  Pure. */

import type { Outlook } from "../core/api.ts";
import type { Story } from "../core/story.ts";
import { announcement, REFUSED } from "../ui/announcer.tsx";
import type { Step } from "./going.ts";
import { verdict } from "./outlook.tsx";

/** All that button and voice depend on. */
export interface Situation {
  step: Step;
  story: Story | null;
  known: Outlook | null;
  settled: boolean;
  /** Whether what is in the fields cannot be used. */
  refused?: boolean;
  /** Whether the server starts by itself. */
  start: boolean;
  /** Whether the button was pressed, and waits for an answer. */
  pressed: boolean;
  /** Whom the server is for, where that is somebody else. */
  owner: string | null;
}

/** The hub's button: its text, null for its own, and whether it waits. */
export function buttonText(now: Situation): { text: string | null; waiting: boolean } {
  const whose = now.owner === null ? "" : ` for ${now.owner}`;
  const idle = (text: string | null) => ({ text: text && text + whose, waiting: false });
  const waiting = (text: string) => ({ text, waiting: true });
  switch (now.step.name) {
    case "starting":
      return waiting("Starting…");
    case "asking":
      return waiting("Asking for the build…");
    case "building":
      if (now.story?.phase === "built") {
        return idle(null);
      }
      if (now.story?.over) {
        return idle("Build again");
      }
      return now.start
        ? waiting(`The server${whose} starts when the image is ready`)
        : idle("Start when the image is ready");
    default:
      if (now.pressed) {
        return waiting("Looking at the repository…");
      }
      if (now.known === null || now.known.cached) {
        return idle(null);
      }
      return idle(now.start ? "Build and start" : "Build");
  }
}

/** What a screen reader says: where the build is, else what the repository came to. */
export function spoken(now: Situation): string {
  if (now.step.name === "starting") {
    return "The server starts.";
  }
  if (now.step.name === "building") {
    return announcement(now.story);
  }
  if (now.refused) {
    return REFUSED;
  }
  return now.known !== null && now.settled ? verdict(now.known) : "";
}
