import type { RefObject } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** So near the end, in pixels, one means the end. */
const NEAR = 24;

/** Keeping to the end of what grows. */
export interface End {
  /** Whether the end is kept to: until the user scrolls away from it. */
  following: boolean;
  /** To be called when something was added. */
  grown: () => void;
  /** Go to the end, and keep to it. */
  jump: () => void;
  /** Do not keep to the end any more. */
  leave: () => void;
}

export function useEnd(scroller: RefObject<HTMLElement>): End {
  const [following, setFollowing] = useState(true);
  const follows = useRef(true);
  const set = useCallback((value: boolean) => {
    follows.current = value;
    setFollowing(value);
  }, []);
  const grown = useCallback(() => {
    const element = scroller.current;
    if (element && follows.current) {
      element.scrollTop = element.scrollHeight;
    } else if (element && below(element) > NEAR) {
      setFollowing(false);
    }
  }, [scroller]);
  const jump = useCallback(() => {
    set(true);
    grown();
  }, [set, grown]);
  // what is shown to the user follows when there is something below
  const leave = useCallback(() => {
    follows.current = false;
  }, []);
  useEffect(() => {
    const element = scroller.current;
    return element ? watch(element, follows, set, grown) : undefined;
  }, [scroller, set, grown]);
  return { following, grown, jump, leave };
}

function below(element: HTMLElement): number {
  return element.scrollHeight - element.clientHeight - element.scrollTop;
}

function watch(
  element: HTMLElement,
  follows: { readonly current: boolean },
  set: (follows: boolean) => void,
  grown: () => void,
): () => void {
  let before = element.scrollTop;
  const scrolled = (): void => {
    const top = element.scrollTop;
    // upwards is away; downwards alone is no sign, it may be lines that came meanwhile
    if (below(element) <= NEAR) {
      set(true);
    } else if (top < before - 1 || !follows.current) {
      set(false);
    }
    before = top;
  };
  element.addEventListener("scroll", scrolled, { passive: true });
  // what was estimated gets its real height when it comes into sight
  const sizes = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(grown);
  sizes?.observe(element);
  if (element.firstElementChild) {
    sizes?.observe(element.firstElementChild);
  }
  return () => {
    element.removeEventListener("scroll", scrolled);
    sizes?.disconnect();
  };
}
