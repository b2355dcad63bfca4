/** What is asked before something is done that others notice, or that cannot be undone. */

/** What can be done with a build after a question. */
export type Question = "cancel" | "delete" | "publish" | "unpublish";

/** A question, and what its answer is called. */
export interface Words {
  title: string;
  text: string;
  /** On the button: a verb. */
  confirm: string;
  danger: boolean;
  /** What is said when it was done. */
  done: string;
}

export const QUESTIONS: Readonly<Record<Question, Words>> = {
  cancel: {
    title: "Cancel this build?",
    text: "It ends for everybody who waits for it.",
    confirm: "Cancel the build",
    danger: true,
    done: "The build was cancelled.",
  },
  delete: {
    title: "Delete this build from the list?",
    text: "Its log is lost. The image stays in the registry, and servers that run go on.",
    confirm: "Delete",
    danger: true,
    done: "The build was deleted.",
  },
  publish: {
    title: "Show this image to everybody?",
    text: "All users of this hub will see it in their lists, with its log, and can start it.",
    confirm: "Publish",
    danger: false,
    done: "The image is in everybody's list.",
  },
  unpublish: {
    title: "Take this image out of everybody's list?",
    text: "Those who asked for it themselves still have it.",
    confirm: "Unpublish",
    danger: false,
    done: "The image is in nobody else's list any more.",
  },
};
