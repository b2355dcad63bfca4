/**
 * A terminal's colours as classes (ECMA-48, "select graphic rendition"; xterm's 256 colours).
 *
 * Only what stands in a log: styles are kept, the rest of what steers a terminal is dropped.
 */

import { nearest } from "./palette.ts";

/** Text of one style. */
export interface Span {
  text: string;
  /** `ansi-red`, `ansi-bright-red`, `ansi-bg-red`, `ansi-bold`, …, separated by spaces; "" for none. */
  classes: string;
}

/** What is in force; names are those of the classes, without `ansi-`. */
interface Style {
  readonly fore: string;
  readonly back: string;
  /** Of {@link FLAGS}, one bit each. */
  readonly flags: number;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const FLAGS = ["bold", "dim", "italic", "underline", "inverse", "strike"];
const ON: Record<number, number> = { 1: 1, 2: 2, 3: 4, 4: 8, 7: 16, 9: 32 };
const OFF: Record<number, number> = { 22: 1 | 2, 23: 4, 24: 8, 27: 16, 29: 32 };
const PLAIN: Style = { fore: "", back: "", flags: 0 };

/**
 * Escape sequences, and control characters that are none: CSI (its final byte is group 2), strings
 * (OSC and the like) with their end, other escapes of two or three characters.
 */
const CONTROL = new RegExp(
  [
    "(?:\\x1b\\[|\\x9b)([0-?]*)[ -/]*([@-~])?",
    "(?:\\x1b[\\]PX^_]|[\\x90\\x98\\x9d-\\x9f])[^\\x07\\x1b\\x90\\x98\\x9c-\\x9f]*(?:\\x07|\\x1b\\\\|\\x9c)",
    "\\x1b[ -/]*[0-~]?",
    "[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f]",
  ].join("|"),
  "g",
);
/** Whether a text has anything in it that {@link CONTROL} would find. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ANY_CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;

/** Reads the lines of one log in their order: a style lasts until the log changes it. */
export class Ansi {
  #style = PLAIN;

  /** A copy that goes on from here by itself. */
  fork(): Ansi {
    const copy = new Ansi();
    copy.#style = this.#style;
    return copy;
  }

  /** Whether a line without escapes is a line without style. */
  get plain(): boolean {
    return this.#style === PLAIN;
  }

  /** The spans of the next line; what a carriage return goes back over is not among them. */
  spans(line: string): Span[] {
    if (!ANY_CONTROL.test(line)) {
      return line === "" ? [] : [{ text: line, classes: classes(this.#style) }];
    }
    const spans = new Spans();
    let start = 0;
    for (const found of line.matchAll(CONTROL)) {
      spans.add(line.slice(start, found.index), this.#style);
      start = found.index + found[0].length;
      if (found[0] === "\r") {
        spans.goBack();
      } else if (found[2] === "m") {
        this.#style = styled(this.#style, found[1] ?? "");
      } else if (found[2] === "K") {
        spans.erase();
      }
    }
    spans.add(line.slice(start), this.#style);
    return spans.made;
  }
}

/** The text of one line alone. */
export function plain(text: string): string {
  if (!ANY_CONTROL.test(text)) {
    return text;
  }
  return new Ansi().spans(text).reduce((whole, span) => whole + span.text, "");
}

/** Spans in the making. */
class Spans {
  made: Span[] = [];
  #wentBack = false;

  add(text: string, style: Style): void {
    if (text === "") {
      return;
    }
    this.erase();
    const last = this.made.at(-1);
    const names = classes(style);
    if (last?.classes === names) {
      last.text += text;
    } else {
      this.made.push({ text, classes: names });
    }
  }

  /** To the start of the line; what stands there goes when something is written over it. */
  goBack(): void {
    this.#wentBack = true;
  }

  erase(): void {
    if (this.#wentBack) {
      this.made = [];
      this.#wentBack = false;
    }
  }
}

function styled(style: Style, parameters: string): Style {
  // private sequences begin with one of these, and mean something else
  if (/^[<=>?]/.test(parameters)) {
    return style;
  }
  const fields = parameters.split(";");
  let { fore, back, flags } = style;
  for (let index = 0; index < fields.length; index++) {
    const [code = 0, ...parts] = (fields[index] ?? "").split(":").map(Number);
    if (code === 0) {
      ({ fore, back, flags } = PLAIN);
    } else if (code === 38 || code === 48 || code === 58) {
      const rest = parts.length > 0 ? parts : fields.slice(index + 1).map(Number);
      const { name, used } = extended(rest, parts.length > 0);
      index += parts.length > 0 ? 0 : used;
      // 58 is the underline's own colour
      fore = code === 38 ? (name ?? fore) : fore;
      back = code === 48 ? (name ?? back) : back;
    } else if (ON[code] !== undefined) {
      // 4:0 is how some programs end an underline
      flags = code === 4 && parts[0] === 0 ? flags & ~8 : flags | ON[code];
    } else if (OFF[code] !== undefined) {
      flags &= ~OFF[code];
    } else {
      [fore, back] = coloured(code, fore, back);
    }
  }
  return fore === "" && back === "" && flags === 0 ? PLAIN : { fore, back, flags };
}

function coloured(code: number, fore: string, back: string): [string, string] {
  if (code === 39) {
    return ["", back];
  }
  if (code === 49) {
    return [fore, ""];
  }
  const name = NAMES[code % 10];
  switch (name === undefined ? 0 : Math.floor(code / 10)) {
    case 3:
      return [name ?? "", back];
    case 4:
      return [fore, name ?? ""];
    case 9:
      return [`bright-${name}`, back];
    case 10:
      return [fore, `bright-${name}`];
    default:
      return [fore, back];
  }
}

/**
 * A colour of 256, or of red, green and blue, as the nearest of the sixteen.
 *
 * @param colons whether it came as `38:2:<space>:r:g:b`, where the colour space may be left out.
 */
function extended(values: number[], colons: boolean): { name: string | null; used: number } {
  if (values[0] === 5) {
    return { name: named(nearest(values[1] ?? Number.NaN)), used: 2 };
  }
  if (values[0] === 2) {
    const at = colons && values.length > 4 ? 2 : 1;
    const [red = Number.NaN, green = Number.NaN, blue = Number.NaN] = values.slice(at, at + 3);
    return { name: named(nearest([red, green, blue])), used: 4 };
  }
  return { name: null, used: 0 };
}

function named(index: number | null): string | null {
  const name = index === null ? undefined : NAMES[index % 8];
  return name === undefined || index === null ? null : index < 8 ? name : `bright-${name}`;
}

function classes(style: Style): string {
  if (style === PLAIN) {
    return "";
  }
  const names = FLAGS.filter((_, bit) => style.flags & (1 << bit));
  if (style.fore !== "") {
    names.push(style.fore);
  }
  if (style.back !== "") {
    names.push(`bg-${style.back}`);
  }
  return names.map((name) => `ansi-${name}`).join(" ");
}
