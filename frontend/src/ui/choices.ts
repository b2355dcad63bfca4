import { useMemo, useState } from "preact/hooks";
import type { Option } from "./combobox.tsx";

/** More than one looks through: beyond them one types. */
const MOST = 100;

interface Given {
  value: string;
  options: readonly Option[];
  filter?: boolean;
  onInput: (value: string) => void;
  onPick: (option: Option) => void;
  onEnter?: (() => void) | undefined;
}

/** The list of a combobox: what it shows, what is marked, and what keys do. */
export interface Choices {
  open: boolean;
  /** Index in `shown`; null: what was typed holds. */
  marked: number | null;
  shown: readonly Option[];
  /** How many fit beyond those that are shown. */
  more: number;
  show: () => void;
  hide: () => void;
  typed: (value: string) => void;
  pick: (option: Option) => void;
  pressed: (event: KeyboardEvent) => void;
}

export function useChoices(given: Given): Choices {
  const { value, options, filter = true } = given;
  const [wanted, setWanted] = useState(false);
  const [at, setMarked] = useState<number | null>(null);
  const fitting = useMemo(
    () => (filter ? options.filter(fits(value, options)) : options),
    [value, options, filter],
  );
  const shown = useMemo(() => fitting.slice(0, MOST), [fitting]);
  const open = wanted && shown.length > 0;
  const marked = open && at !== null && at < shown.length ? at : null;
  const show = (): void => setWanted(true);
  const hide = (): void => {
    setWanted(false);
    setMarked(null);
  };
  const typed = (text: string): void => {
    setMarked(null);
    setWanted(true);
    given.onInput(text);
  };
  const pick = (option: Option): void => {
    hide();
    given.onPick(option);
  };
  const move = (by: 1 | -1): void => {
    setMarked(open ? next(marked, by, shown.length) : by === 1 ? 0 : shown.length - 1);
    show();
  };
  /** Whether the key was for the list. */
  const taken = (event: KeyboardEvent): boolean => {
    switch (event.key) {
      case "ArrowDown":
        event.altKey ? show() : move(1);
        return true;
      case "ArrowUp":
        event.altKey ? hide() : move(-1);
        return true;
      case "Enter": {
        const option = marked === null ? undefined : shown[marked];
        hide();
        option ? pick(option) : given.onEnter?.();
        return option !== undefined || given.onEnter !== undefined;
      }
      case "Escape":
        hide();
        return open;
      case "Tab":
        hide();
        return false;
      default:
        return false;
    }
  };
  const pressed = (event: KeyboardEvent): void => {
    // an input method is composing a character: the keys are its own
    if (!event.isComposing && taken(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return {
    open,
    marked,
    shown,
    more: fitting.length - shown.length,
    show,
    hide,
    typed,
    pick,
    pressed,
  };
}

/** From the last to what was typed (null), and from there to the first; and back. */
function next(marked: number | null, by: 1 | -1, count: number): number | null {
  const at = (marked ?? -1) + by;
  if (at >= count || at === -1) {
    return null;
  }
  return at < -1 ? count - 1 : at;
}

/** What was chosen already hides no alternative: only what one types narrows the list. */
function fits(value: string, options: readonly Option[]): (option: Option) => boolean {
  const text = value.trim().toLowerCase();
  if (text === "" || options.some((option) => option.value === value)) {
    return () => true;
  }
  return ({ value: own, label = "" }) =>
    own.toLowerCase().includes(text) || label.toLowerCase().includes(text);
}
