import { expect, it } from "vitest";
import { ago, bytes, duration, elapsed, rounded } from "./when.ts";

const NOW = new Date("2026-03-15T12:00:00Z");

it.each([
  [-30, "just now"],
  [0, "just now"],
  [44, "just now"],
  [50, "1 min ago"],
  [5 * 60, "5 min ago"],
  [3580, "1 h ago"],
  [7200, "2 h ago"],
  [86_400, "yesterday"],
  [6 * 86_400, "6 days ago"],
  [40 * 86_400, "3 Feb 2026"],
])("%d s ago is %s", (seconds, text) => {
  expect(ago(new Date(NOW.getTime() - seconds * 1000), NOW)).toBe(text);
});

it("has nothing to say of no time", () => {
  expect(ago(new Date("never"), NOW)).toBe("");
});

it.each([
  [-1, "0 s"],
  [12.4, "12 s"],
  [59.7, "about 1 min"],
  [92.5, "about 2 min"],
  [245, "about 4 min"],
  [3590, "about 1 h"],
  [9000, "about 3 h"],
])("%d s take %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

it.each([
  [-5, "0 s"],
  [12.9, "12 s"],
  [245, "4 min 5 s"],
  [3840, "1 h 4 min"],
])("%d s have passed: %s", (seconds, text) => {
  expect(elapsed(seconds)).toBe(text);
});

it.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1000, "1.0 kB"],
  [340_000, "340 kB"],
  [999_700, "1.0 MB"],
  [1_234_567_890, "1.2 GB"],
  [12e9, "12 GB"],
  [4e15, "4000 TB"],
])("%d bytes are %s", (count, text) => {
  expect(bytes(count)).toBe(text);
});

it("where it is exact, or plainly rounded, about is not said", () => {
  expect([12, 240, 7200].map(rounded)).toEqual(["12 s", "4 min", "2 h"]);
});
