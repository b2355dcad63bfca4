/** Frames after which the heights of what came into sight are settled. */
const FRAMES = 6;

/**
 * Scroll a line into the middle of its scroller, and nothing around the scroller.
 *
 * Heights out of sight are estimates: what comes into sight moves the line, so it is put into the
 * middle again until it stays there.
 *
 * @returns stops it
 */
export function reveal(scroller: HTMLElement | null, line: () => HTMLElement | null): () => void {
  let frame = 0;
  const put = (left: number): void => {
    const element = line();
    if (scroller === null || element === null) {
      return;
    }
    const box = element.getBoundingClientRect();
    const frameBox = scroller.getBoundingClientRect();
    const off = box.top + box.height / 2 - (frameBox.top + frameBox.height / 2);
    if (Math.abs(off) > 1) {
      scroller.scrollTop += off;
    }
    if (left > 0) {
      frame = requestAnimationFrame(() => put(left - 1));
    }
  };
  put(FRAMES);
  return () => cancelAnimationFrame(frame);
}
