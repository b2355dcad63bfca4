/** The lines of a build's log: many, appended often, read where somebody looks. */

import { Ansi, plain, type Span } from "./ansi.ts";

export interface Line {
  /** The text alone. */
  text: string;
  spans: readonly Span[];
  /** Not of the log: lines are missing here, and this says why. */
  gap: boolean;
}

/** Most lines that are kept; beyond it, the oldest go. */
const MOST = 500_000;
/** How many go at once, so that the rest is not moved at each line. */
const DROPPED = 50_000;

/** A line that is more than its text; a plain one is kept as a string. */
interface Entry {
  text: string;
  raw: string;
  /** The style that it begins in. */
  style: Ansi;
  gap: boolean;
}

/** A line's index is its own for good: what is appended, or dropped, changes no other's. */
export class Log {
  /** Those that are kept; the first of them has the index {@link dropped}. */
  #lines: (string | Entry)[] = [];
  #dropped = 0;
  #style = new Ansi();
  readonly #most: number;

  /** @param most lines that are kept. */
  constructor(most = MOST) {
    this.#most = most;
  }

  /** How many lines there are, with those that are not kept any more. */
  get length(): number {
    return this.#dropped + this.#lines.length;
  }

  /** How many lines at the beginning are not kept any more. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds a line.
   *
   * @param gap whether the text says that lines are missing, and why.
   */
  append(text: string, gap = false): void {
    for (const line of text.split("\n")) {
      this.#lines.push(gap ? missing(line) : this.#entry(line));
    }
    if (this.#lines.length > this.#most) {
      const excess = this.#lines.length - this.#most + Math.min(DROPPED, this.#most >> 3);
      this.#lines = this.#lines.slice(excess);
      this.#dropped += excess;
    }
  }

  /**
   * The line at an index from 0; of those that are not kept, the last says so and the rest are
   * empty.
   *
   * @throws RangeError there is none.
   */
  at(index: number): Line {
    if (!(Number.isInteger(index) && index >= 0 && index < this.length)) {
      throw new RangeError(`there is no line ${index}`);
    }
    const line = this.#entryAt(index);
    if (typeof line === "string") {
      return { text: line, spans: line === "" ? [] : [{ text: line, classes: "" }], gap: false };
    }
    return { text: line.text, spans: line.style.fork().spans(line.raw), gap: line.gap };
  }

  /** The text of the line at an index; "" where there is none. */
  textAt(index: number): string {
    const line = this.#entryAt(index);
    return typeof line === "string" ? line : line.text;
  }

  /** The indexes of the lines with this text in them, in capitals or not; none for no text. */
  search(query: string): number[] {
    const found: number[] = [];
    const wanted = query.toLowerCase();
    for (let index = this.#dropped; wanted !== "" && index < this.length; index++) {
      if (this.textAt(index).toLowerCase().includes(wanted)) {
        found.push(index);
      }
    }
    return found;
  }

  /** All of it, to copy; what is missing is said in brackets. */
  text(): string {
    const lines = this.#lines.map((line) => {
      if (typeof line === "string") {
        return line;
      }
      return line.gap ? `[${line.text}]` : line.text;
    });
    if (this.#dropped > 0) {
      lines.unshift(`[${this.#sentence()}]`);
    }
    return lines.map((line) => `${line}\n`).join("");
  }

  #entryAt(index: number): string | Entry {
    if (index === this.#dropped - 1 && index >= 0) {
      return missing(this.#sentence());
    }
    return this.#lines[index - this.#dropped] ?? (index < this.#dropped ? missing("") : "");
  }

  #sentence(): string {
    return `${this.#dropped} earlier lines are not shown here; the download has them`;
  }

  #entry(raw: string): string | Entry {
    const text = plain(raw);
    if (text === raw && this.#style.plain) {
      return raw;
    }
    const style = this.#style.fork();
    this.#style.spans(raw);
    return { text, raw, style, gap: false };
  }
}

function missing(text: string): Entry {
  return { text: plain(text), raw: text, style: new Ansi(), gap: true };
}
