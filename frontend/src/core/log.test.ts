import { describe, expect, it } from "vitest";
import { Log } from "./log.ts";

function logOf(...lines: string[]): Log {
  const log = new Log();
  for (const line of lines) {
    log.append(line);
  }
  return log;
}

describe("a log", () => {
  it("has lines with their styles, in whatever order they are read", () => {
    const log = logOf("plain", "\x1b[31mred", "still red", "\x1b[0mplain again", "");
    expect(log.length).toBe(5);
    expect(log.at(2)).toEqual({
      text: "still red",
      spans: [{ text: "still red", classes: "ansi-red" }],
      gap: false,
    });
    expect(log.at(1).spans).toEqual([{ text: "red", classes: "ansi-red" }]);
    expect(log.at(3).spans).toEqual([{ text: "plain again", classes: "" }]);
    expect(log.at(0).spans).toEqual([{ text: "plain", classes: "" }]);
    expect(log.at(4)).toEqual({ text: "", spans: [], gap: false });
  });

  it("has gaps, which take no style and change none", () => {
    const log = logOf("\x1b[31mred");
    log.append("7 lines are lost", true);
    log.append("red");
    expect(log.at(1)).toEqual({
      text: "7 lines are lost",
      spans: [{ text: "7 lines are lost", classes: "" }],
      gap: true,
    });
    expect(log.at(2).spans[0]?.classes).toBe("ansi-red");
  });

  it("makes lines of what has line ends in it", () => {
    expect(logOf("a\nb").at(1).text).toBe("b");
  });

  it.each([-1, 1, 0.5, Number.NaN])("has no line %d", (index) => {
    expect(() => logOf("only").at(index)).toThrow(RangeError);
    expect(logOf("only").textAt(index)).toBe("");
  });

  it("is searched by its text, in capitals or not", () => {
    const log = logOf("Error: \x1b[31mno\x1b[0m such file", "fine", "ERROR: NO SUCH");
    expect(log.search("error: no such")).toEqual([0, 2]);
    expect(log.search("31m")).toEqual([]);
    expect(log.search("")).toEqual([]);
  });

  it("is copied as text", () => {
    const log = logOf("\x1b[1mbold", "10%\r20%");
    log.append("lost", true);
    expect(log.text()).toBe("bold\n20%\n[lost]\n");
    expect(new Log().text()).toBe("");
  });
});

describe("a log that is too long", () => {
  const log = new Log(100);
  for (let n = 0; n < 250; n++) {
    log.append(n === 0 ? "\x1b[32mgreen 0" : `line ${n}`);
  }

  it("drops the oldest lines, and every line keeps its index", () => {
    expect(log.length).toBe(250);
    expect(log.dropped).toBeGreaterThanOrEqual(150);
    expect(log.length - log.dropped).toBeGreaterThan(80);
    expect(log.at(249).text).toBe("line 249");
    expect(log.at(log.dropped).text).toBe(`line ${log.dropped}`);
    expect(log.at(249).spans[0]?.classes).toBe("ansi-green");
    expect(log.search("line 24")).toEqual([240, 241, 242, 243, 244, 245, 246, 247, 248, 249]);
  });

  it("says so", () => {
    expect(log.at(0)).toEqual({ text: "", spans: [], gap: true });
    const said = log.at(log.dropped - 1);
    expect(said.gap).toBe(true);
    expect(said.text).toContain(`${log.dropped} earlier lines`);
    expect(log.text().split("\n")[0]).toContain(`${log.dropped} earlier lines`);
  });
});

it("takes 100,000 lines", () => {
  const log = new Log();
  const begun = performance.now();
  for (let n = 0; n < 100_000; n++) {
    log.append(n % 10 === 0 ? `\x1b[3${n % 8}m#${n}\x1b[0m step` : `line ${n} of a long log`);
  }
  const filled = performance.now();
  const found = log.search("line 9999");
  const searched = performance.now();
  const size = log.text().length;
  const [fill, search, text] = [filled - begun, searched - filled, performance.now() - searched];
  process.stdout.write(
    `log: 100,000 lines appended in ${fill.toFixed(0)} ms, searched in ${search.toFixed(0)} ms, copied in ${text.toFixed(0)} ms\n`,
  );
  expect(found).toHaveLength(10);
  expect(size).toBeGreaterThan(1_000_000);
});
