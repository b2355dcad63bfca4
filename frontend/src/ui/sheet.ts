import type { Line, Log } from "../core/log.ts";

/** Lines of one block: the browser skips what is out of sight block by block. */
export const BLOCK = 500;
/** Blocks that are drawn at once; of more, the last ones first and the others in the gaps. */
const AT_ONCE = 2;
/** Milliseconds of a frame that drawing what is out of sight may take. */
const SLICE = 6;

/** Some lines; indexes are the log's. */
interface Block {
  element: HTMLElement;
  /** The first that is still there. */
  first: number;
  /** Behind the last line that is drawn. */
  drawn: number;
  /** Behind the last line that it takes. */
  end: number;
}

/**
 * A log as text in the page, in blocks that the browser lays out only when they are in sight.
 *
 * Real text rather than a window that moves over it: what is selected, copied and found by the
 * browser's own means is the whole log.  It only grows; the tail costs what is new in it.
 */
export class Sheet {
  #log: Log;
  #host: HTMLElement;
  #blocks: Block[] = [];
  #frame = 0;
  #longest = 0;
  #marked = new Map<string, HTMLElement>();

  constructor(host: HTMLElement, log: Log) {
    this.#host = host;
    this.#log = log;
    host.textContent = "";
  }

  /** Draw what came since the last time: at once what is near the end, soon the rest. */
  sync(): void {
    this.#drop();
    this.#frameBlocks();
    for (const block of this.#blocks.slice(-AT_ONCE)) {
      this.#draw(block);
    }
    if (this.#behind()) {
      this.#soon();
    }
  }

  /** The element of a line of the log, drawn if need be; null where there is no such line. */
  element(line: number): HTMLElement | null {
    this.#drop();
    const block = this.#blocks[Math.floor(line / BLOCK) - this.#firstBlock()];
    if (block === undefined) {
      return null;
    }
    this.#draw(block);
    return (block.element.children[line - block.first] as HTMLElement | undefined) ?? null;
  }

  /** Give a class to one line, and take it from the line that had it. */
  mark(line: number | null, name: string): void {
    this.#marked.get(name)?.classList.remove(name);
    this.#marked.delete(name);
    const element = line === null ? null : this.element(line);
    if (element !== null) {
      element.classList.add(name);
      this.#marked.set(name, element);
    }
  }

  /** Stop drawing. */
  close(): void {
    cancelAnimationFrame(this.#frame);
  }

  #firstBlock(): number {
    return Math.floor((this.#blocks[0]?.first ?? 0) / BLOCK);
  }

  /** What the log does not keep any more goes, but for the line that says so. */
  #drop(): void {
    const from = Math.max(0, this.#log.dropped - 1);
    let block = this.#blocks[0];
    if (block === undefined || block.first >= from) {
      return;
    }
    while (block && block.end <= from) {
      block.element.remove();
      this.#blocks.shift();
      block = this.#blocks[0];
    }
    if (block !== undefined) {
      const gone = [...block.element.children].slice(0, from - block.first + 1);
      for (const line of gone) {
        line.remove();
      }
      if (block.drawn > from) {
        block.element.prepend(lineElement(this.#log.at(from)));
      }
      block.first = from;
      block.drawn = Math.max(block.drawn, from);
    }
  }

  /** Blocks for all lines, those not drawn yet as high as their lines will about be. */
  #frameBlocks(): void {
    let next = this.#blocks.at(-1)?.end ?? Math.max(0, this.#log.dropped - 1);
    while (next < this.#log.length) {
      const end = (Math.floor(next / BLOCK) + 1) * BLOCK;
      const element = document.createElement("div");
      element.className = "ib-block ib-undrawn";
      this.#blocks.push({ element, first: next, drawn: next, end });
      this.#host.append(element);
      next = end;
    }
  }

  #draw(block: Block): void {
    const until = Math.min(this.#log.length, block.end);
    if (block.drawn >= until) {
      return;
    }
    const lines = document.createDocumentFragment();
    let longest = this.#longest;
    for (let at = block.drawn; at < until; at++) {
      const line = this.#log.at(at);
      longest = Math.max(longest, line.text.length);
      lines.append(lineElement(line));
    }
    this.#widen(longest);
    block.drawn = until;
    block.element.append(lines);
    block.element.classList.remove("ib-undrawn");
  }

  /** Tells the style how wide lines are that are not wrapped. */
  #widen(longest: number): void {
    if (longest > this.#longest) {
      this.#longest = longest;
      this.#host.style.setProperty("--ib-columns", String(longest));
    }
  }

  /** The last block that lacks lines. */
  #behind(): Block | undefined {
    const { length } = this.#log;
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const block = this.#blocks[at];
      if (block && block.drawn < Math.min(length, block.end)) {
        return block;
      }
    }
    return undefined;
  }

  #soon(): void {
    // one that is due already stays: a log that grows in every frame would put it off for ever
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drop();
      const end = performance.now() + SLICE;
      let block = this.#behind();
      while (block && performance.now() < end) {
        this.#draw(block);
        block = this.#behind();
      }
      if (block) {
        this.#soon();
      }
    });
  }
}

function lineElement(line: Line): HTMLElement {
  const element = document.createElement("div");
  element.className = line.gap ? "ib-line ib-gap" : "ib-line";
  for (const { text, classes } of line.spans) {
    if (classes === "") {
      element.append(text);
    } else {
      const span = document.createElement("span");
      span.className = classes;
      span.textContent = text;
      element.append(span);
    }
  }
  if (element.textContent === "") {
    // an empty line is a line for the eye and for the clipboard
    element.replaceChildren(document.createElement("br"));
  }
  return element;
}
