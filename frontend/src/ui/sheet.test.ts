import { beforeEach, expect, test, vi } from "vitest";
import { Log } from "../core/log.ts";
import { occurrences } from "./highlight.ts";
import { BLOCK, Sheet } from "./sheet.ts";

let host: HTMLElement;
let frames: FrameRequestCallback[];

beforeEach(() => {
  host = document.createElement("div");
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (frame: FrameRequestCallback) => frames.push(frame));
  vi.stubGlobal("cancelAnimationFrame", (id: number) => frames.splice(id - 1, 1));
});

function filled(count: number, most?: number): Log {
  const log = new Log(most);
  for (let at = 0; at < count; at++) {
    log.append(`line ${at}`);
  }
  return log;
}

function texts(): (string | null)[] {
  return [...host.querySelectorAll(".ib-line")].map((line) => line.textContent);
}

test("what comes is put behind what is there", () => {
  const log = filled(2);
  const sheet = new Sheet(host, log);
  sheet.sync();
  const first = host.querySelector(".ib-line");
  log.append("\u001b[31mred\u001b[0m and not");
  log.append("lost", true);
  log.append("");
  sheet.sync();
  expect(texts()).toEqual(["line 0", "line 1", "red and not", "lost", ""]);
  expect(host.querySelector(".ib-line")).toBe(first);
  expect(host.querySelector(".ansi-red")?.textContent).toBe("red");
  expect(host.querySelector(".ib-gap")?.textContent).toBe("lost");
  expect(host.querySelector(".ib-line:last-child br")).not.toBeNull();
});

test("text is text, whatever it looks like", () => {
  const log = new Log();
  log.append("<img src=x onerror=alert(1)>");
  new Sheet(host, log).sync();
  expect(host.querySelector("img")).toBeNull();
  expect(texts()).toEqual(["<img src=x onerror=alert(1)>"]);
});

test("of a long log the end is drawn at once, and the rest even while it grows in every frame", () => {
  const log = filled(5 * BLOCK);
  const sheet = new Sheet(host, log);
  sheet.sync();
  expect(texts()[0]).toBe(`line ${3 * BLOCK}`);
  expect(host.querySelectorAll(".ib-undrawn")).toHaveLength(3);
  for (let frame = 0; frame < 3 && frames.length > 0; frame++) {
    sheet.sync();
    frames.shift()?.(0);
  }
  expect(texts()).toHaveLength(5 * BLOCK);
  expect(texts()[0]).toBe("line 0");
  expect(host.querySelectorAll(".ib-undrawn")).toHaveLength(0);
});

test("a line far away is drawn when it is asked for, and marked once", () => {
  const log = filled(6 * BLOCK);
  const sheet = new Sheet(host, log);
  sheet.sync();
  sheet.mark(7, "ib-culprit");
  expect(host.querySelector(".ib-culprit")?.textContent).toBe("line 7");
  sheet.mark(8, "ib-culprit");
  expect([...host.querySelectorAll(".ib-culprit")].map((line) => line.textContent)).toEqual([
    "line 8",
  ]);
  sheet.mark(null, "ib-culprit");
  expect(host.querySelector(".ib-culprit")).toBeNull();
  expect(sheet.element(6 * BLOCK)).toBeNull();
  expect(sheet.element(-1)).toBeNull();
});

test("what the log drops goes, and a line says so", () => {
  const log = filled(3 * BLOCK, 3 * BLOCK);
  const sheet = new Sheet(host, log);
  sheet.sync();
  sheet.element(0);
  sheet.element(BLOCK);
  log.append("one too many");
  expect(log.dropped).toBeGreaterThan(0);
  // one that is still there, before it is drawn again
  expect(sheet.element(log.dropped)?.textContent).toBe(`line ${log.dropped}`);
  sheet.sync();
  expect(texts()[0]).toMatch(/earlier lines are not shown/);
  expect(texts()[1]).toBe(`line ${log.dropped}`);
  expect(texts().at(-1)).toBe("one too many");
  expect(texts()).toHaveLength(log.length - log.dropped + 1);
  expect(sheet.element(log.length - 1)?.textContent).toBe("one too many");
});

test("what is found is found over the borders of colours, whatever its case", () => {
  const line = document.createElement("div");
  line.append("An Err");
  const span = document.createElement("span");
  span.textContent = "OR, error";
  line.append(span);
  expect(occurrences(line, "error").map(String)).toEqual(["ErrOR", "error"]);
  expect(occurrences(line, "nothing")).toEqual([]);
});
