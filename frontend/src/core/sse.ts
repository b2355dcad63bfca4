/**
 * Server-sent events from text that arrives in pieces (HTML Living Standard, section 9.2.6).
 *
 * For `fetch`, which can send a header with a token; `EventSource` cannot.
 */

export interface ServerEvent {
  data: string;
  /** The id that this very event carries; null where it carries none. */
  id: string | null;
}

const LINE_END = /\r\n|\r|\n/g;

/** Takes a stream's text, cut anywhere, and hands out the events that are complete. */
export class EventParser {
  #line = "";
  #data: string[] = [];
  #id: string | null = null;
  #started = false;
  /** The last piece ended in CR: a LF at the start of the next one belongs to it. */
  #afterReturn = false;

  /** The events that this piece completes.  What is behind the last empty line is kept. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let start = this.#begin(piece);
    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(piece); end !== null; end = LINE_END.exec(piece)) {
      const event = this.#take(this.#line + piece.slice(start, end.index));
      if (event !== null) {
        events.push(event);
      }
      this.#line = "";
      start = LINE_END.lastIndex;
    }
    this.#line += piece.slice(start);
    return events;
  }

  /** Where the text of this piece begins. */
  #begin(piece: string): number {
    if (piece === "") {
      return 0;
    }
    let start = 0;
    if (!this.#started) {
      this.#started = true;
      start = piece.startsWith("\uFEFF") ? 1 : 0;
    } else if (this.#afterReturn && piece.startsWith("\n")) {
      start = 1;
    }
    this.#afterReturn = piece.endsWith("\r");
    return start;
  }

  #take(line: string): ServerEvent | null {
    if (line === "") {
      return this.#dispatch();
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.#data.push(value);
    } else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
    }
    return null;
  }

  #dispatch(): ServerEvent | null {
    const event = this.#data.length > 0 ? { data: this.#data.join("\n"), id: this.#id } : null;
    this.#data = [];
    this.#id = null;
    return event;
  }
}
