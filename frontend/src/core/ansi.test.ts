import { describe, expect, it } from "vitest";
import { Ansi, plain } from "./ansi.ts";

const ESC = "\x1b[";

function spans(...lines: string[]): string[][] {
  const ansi = new Ansi();
  return lines.map((line) => ansi.spans(line).map(({ text, classes }) => `${classes}|${text}`));
}

describe("colours and styles", () => {
  it.each([
    ["31", "ansi-red"],
    ["91", "ansi-bright-red"],
    ["44", "ansi-bg-blue"],
    ["107", "ansi-bg-bright-white"],
    ["1", "ansi-bold"],
    ["1;4;32", "ansi-bold ansi-underline ansi-green"],
    ["2;3;7;9", "ansi-dim ansi-italic ansi-inverse ansi-strike"],
    ["01;31", "ansi-bold ansi-red"],
    ["31;42", "ansi-red ansi-bg-green"],
    ["38;5;1", "ansi-red"],
    ["38;5;9", "ansi-bright-red"],
    ["38;5;196", "ansi-bright-red"],
    ["38;5;232", "ansi-black"],
    ["38;5;244", "ansi-bright-black"],
    ["48;5;21", "ansi-bg-blue"],
    ["38;2;255;0;0", "ansi-bright-red"],
    ["38;2;0;200;10;1", "ansi-bold ansi-green"],
    ["38:2::255:0:0", "ansi-bright-red"],
    ["38:2:255:0:0", "ansi-bright-red"],
    ["38:5:4;1", "ansi-bold ansi-blue"],
    ["31;0", ""],
    ["31;", ""],
    ["31;39", ""],
    ["1;22", ""],
    ["4;4:0", ""],
    ["4:3", "ansi-underline"],
    ["42;49", ""],
    ["38;5;999", ""],
    ["38;2;1;2", ""],
    ["38", ""],
    ["99", ""],
    ["110", ""],
    ["58;5;1", ""],
    ["?1", ""],
    [">4;1", ""],
  ])("%s is %s", (code, classes) => {
    expect(spans(`${ESC}${code}mx`)).toEqual([[`${classes}|x`]]);
  });

  it("last over the ends of lines, until they are ended", () => {
    expect(spans(`a${ESC}31mb`, "c", "", `d${ESC}me`)).toEqual([
      ["|a", "ansi-red|b"],
      ["ansi-red|c"],
      [],
      ["ansi-red|d", "|e"],
    ]);
  });

  it("are one span where they do not change", () => {
    expect(spans(`${ESC}1ma${ESC}1mb${ESC}0m${ESC}1mc`)).toEqual([["ansi-bold|abc"]]);
  });

  it("begin where another reader stands", () => {
    const ansi = new Ansi();
    ansi.spans(`${ESC}31m`);
    const copy = ansi.fork();
    ansi.spans(`${ESC}0m`);
    expect(copy.spans("x")[0]?.classes).toBe("ansi-red");
    expect([ansi.plain, copy.plain]).toEqual([true, false]);
  });
});

describe("what is dropped", () => {
  it.each([
    ["cursor", `a${ESC}2Ab${ESC}?25lc${ESC}10;20Hd`],
    ["title", "a\x1b]0;title\x07bc\x1b]2;other\x1b\\d"],
    ["link", "\x1b]8;;https://example.org\x1b\\ab\x1b]8;;\x1b\\cd"],
    ["string", "ab\x1bPq#0\x1b\\cd"],
    ["character set", "a\x1b(Bb\x1b=c\x1b7d"],
    ["eight-bit escapes", "a\x9b31mb\x9b0mc\x9d0;t\x9cd"],
    ["other control characters", "a\x07b\x08c\x00\x7fd"],
    ["an escape without an end", `abcd${ESC}31`],
    ["a string without an end", "ab\x1b]cd"],
    ["an escape alone", "abcd\x1b"],
  ])("%s", (_, line) => {
    expect(plain(line)).toBe("abcd");
  });

  it("is not what is text", () => {
    expect(plain("tab\tand größe 🔬")).toBe("tab\tand größe 🔬");
    expect(plain("[31m")).toBe("[31m");
  });
});

describe("a carriage return", () => {
  it.each([
    ["10%\r20%\r100%", "100%"],
    ["a line of Windows\r", "a line of Windows"],
    ["twice\r\r", "twice"],
    ["a\rb\r", "b"],
    [`progress\r${ESC}K`, ""],
    [`progress\r${ESC}2Kdone`, "done"],
    [`kept${ESC}K`, "kept"],
    ["\r", ""],
  ])("%j shows %j", (line, text) => {
    expect(plain(line)).toBe(text);
  });

  it("takes no style back", () => {
    expect(spans(`${ESC}31mred\rover`, "next")).toEqual([["ansi-red|over"], ["ansi-red|next"]]);
  });
});

it("takes no time to speak of for a line that is meant to", () => {
  const begun = performance.now();
  for (const piece of ["\x9d", "\x1b]", "\x1b[", "\x1bP", `${ESC}31;`, "\r"]) {
    plain(piece.repeat(50_000));
  }
  expect(performance.now() - begun).toBeLessThan(2000);
});
