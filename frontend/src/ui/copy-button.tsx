import { useEffect, useRef, useState } from "preact/hooks";
import { say } from "./voice.ts";

const SHOWN_FOR = 2000;

interface Props {
  /** What is copied; a function is asked at the click. */
  text: string | (() => string);
  label?: string;
  class?: string;
}

/** A button that puts text into the clipboard and says that it did. */
export function CopyButton({ text, label = "Copy", class: extra = "" }: Props) {
  const [said, setSaid] = useState<"copied" | "refused" | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (): Promise<void> => {
    const done = await toClipboard(typeof text === "function" ? text() : text);
    setSaid(done ? "copied" : "refused");
    say(done ? "Copied" : "Could not copy");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(null), SHOWN_FOR);
  };
  return (
    <button type="button" class={`ib-button ${extra}`} onClick={copy}>
      {said === null ? label : said === "copied" ? "Copied" : "Could not copy"}
    </button>
  );
}

/** Whether it is there now. A hub without TLS has no `navigator.clipboard`. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // not allowed: the old way may be
  }
  return byCommand(text);
}

function byCommand(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "ib-offscreen";
  // an open dialog makes everything outside of it inert
  (before?.closest("dialog") ?? document.body).append(field);
  field.focus({ preventScroll: true });
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (before instanceof HTMLElement) {
      before.focus({ preventScroll: true });
    }
  }
}
