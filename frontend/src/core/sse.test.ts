import { describe, expect, it } from "vitest";
import { golden, transcripts } from "./golden.testing.ts";
import { EventParser, type ServerEvent } from "./sse.ts";

function parsed(...pieces: string[]): ServerEvent[] {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe("transcripts of the service", () => {
  it.each([...transcripts("build-"), ...transcripts("events-")])("%s", (name) => {
    const text = golden(name);
    const told = text.split("\n").filter((line) => line.startsWith("data: "));
    const ids = text.split("\n").filter((line) => line.startsWith("id: "));
    expect(told.length).toBeGreaterThan(0);
    const events = parsed(text);
    expect(events.map((event) => `data: ${event.data}`)).toEqual(told);
    expect(events.filter(({ id }) => id !== null).map(({ id }) => `id: ${id}`)).toEqual(ids);
    for (const { data } of events) {
      expect(JSON.parse(data)).toBeTypeOf("object");
    }
  });

  it.each(transcripts("events-"))(
    "%s cut at each of its characters, with each line end",
    (name) => {
      for (const end of ["\n", "\r\n", "\r"]) {
        const text = golden(name).replaceAll("\n", end);
        const whole = parsed(golden(name));
        for (let cut = 0; cut <= text.length; cut++) {
          expect(parsed(text.slice(0, cut), text.slice(cut))).toEqual(whole);
        }
        expect(parsed(...text)).toEqual(whole);
      }
    },
  );
});

describe("the standard's rules", () => {
  it("joins data lines, and takes one space away", () => {
    expect(parsed("data: a\ndata:b\ndata:  c\ndata\n\n")).toEqual([
      { data: "a\nb\n c\n", id: null },
    ]);
  });

  it("tells an event at its empty line, not before", () => {
    const parser = new EventParser();
    expect(parser.push("data: a\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ data: "a", id: null }]);
    expect(parser.push("data: lost")).toEqual([]);
  });

  it("tells an event at a CR, without waiting for the LF that may follow", () => {
    const parser = new EventParser();
    expect(parser.push("data: a\r\n\r")).toEqual([{ data: "a", id: null }]);
    expect(parser.push("\ndata: b\r")).toEqual([]);
    expect(parser.push("\r\n")).toEqual([{ data: "b", id: null }]);
    expect(parser.push("\n")).toEqual([]);
  });

  it("drops comments, unknown fields, empty events, and a mark of the byte order", () => {
    expect(parsed("\uFEFFdata: a\n\n:keepalive\n\nretry: 5\nevent: x\n\ndata: b\n\n")).toEqual([
      { data: "a", id: null },
      { data: "b", id: null },
    ]);
    expect(parsed("", "\uFEFFdata: a\n\n")).toHaveLength(1);
  });

  it("gives an id to its own event alone, and none with NUL in it", () => {
    expect(parsed("id: u:1\ndata: a\n\ndata: b\n\nid: u\0:2\ndata: c\n\n")).toEqual([
      { data: "a", id: "u:1" },
      { data: "b", id: null },
      { data: "c", id: null },
    ]);
    expect(parsed("id: u:1\n\ndata: b\n\n")).toEqual([{ data: "b", id: null }]);
  });

  it("has a colon in a value", () => {
    expect(parsed("data: a: b\nid: u:v:7\n\n")).toEqual([{ data: "a: b", id: "u:v:7" }]);
  });
});

it("reads 100,000 lines", () => {
  const frame = (n: number) =>
    `id: uid:${n}\ndata: {"type": "log", "text": "line ${n} of the log", "phase": null}\n\n`;
  const text = Array.from({ length: 100_000 }, (_, n) => frame(n)).join("");
  const parser = new EventParser();
  const begun = performance.now();
  let count = 0;
  for (let start = 0; start < text.length; start += 65_536) {
    count += parser.push(text.slice(start, start + 65_536)).length;
  }
  process.stdout.write(`sse: 100,000 events in ${(performance.now() - begun).toFixed(0)} ms\n`);
  expect(count).toBe(100_000);
});
