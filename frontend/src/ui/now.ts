import { useEffect, useState } from "preact/hooks";

/**
 * The time, which makes its component render again as it passes.
 *
 * @param every milliseconds between two renders
 * @param running false: nothing moves any more, no timer is kept
 * @returns milliseconds since 1970
 */
export function useNow(every = 1000, running = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) {
      return;
    }
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every, running]);
  return now;
}
