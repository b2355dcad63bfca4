/**
 * Shows where a text occurs, by the browser's highlights: no element is added to the lines.
 * A browser that has none shows the line only.
 */

const NAME = "ib-found";

/**
 * @param lines elements in which the text is looked for, whatever its case
 * @param query empty: nothing is shown any more
 */
export function highlight(lines: Iterable<HTMLElement>, query: string): void {
  if (typeof CSS === "undefined" || !CSS.highlights) {
    return;
  }
  CSS.highlights.delete(NAME);
  if (query !== "") {
    const ranges = [...lines].flatMap((line) => occurrences(line, query.toLowerCase()));
    CSS.highlights.set(NAME, new Highlight(...ranges));
  }
}

/** Where the text occurs in an element, over the borders of its spans. */
export function occurrences(element: HTMLElement, lower: string): Range[] {
  const text = (element.textContent ?? "").toLowerCase();
  const found: Range[] = [];
  for (let at = text.indexOf(lower); at >= 0; at = text.indexOf(lower, at + lower.length)) {
    const range = document.createRange();
    const [start, startOffset] = place(element, at, false);
    const [end, endOffset] = place(element, at + lower.length, true);
    range.setStart(start, startOffset);
    range.setEnd(end, endOffset);
    found.push(range);
  }
  return found;
}

/** The text node and the offset in it that an offset in the whole text means. */
function place(element: HTMLElement, offset: number, end: boolean): [Node, number] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let left = offset;
  let last: Node = element;
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const { length } = node as Text;
    if (left < length || (end && left === length)) {
      return [node, left];
    }
    left -= length;
    last = node;
  }
  return [last, last === element ? 0 : (last as Text).length];
}
