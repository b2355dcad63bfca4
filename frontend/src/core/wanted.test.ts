import { expect, test } from "vitest";
import { type Notes, want, wasWanted } from "./wanted.ts";

const ADDRESS =
  "/services/x/content?server=%2Fuser%2Fa%2F&repo=https%3A%2F%2Fh.test%2Fr&urlpath=a+b";

function notes(): () => Notes {
  const kept = new Map<string, string>();
  const all: Notes = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  return () => all;
}

test("what was asked for is known once, however it is escaped", () => {
  const tab = notes();
  want(ADDRESS, tab);
  expect(wasWanted("?server=/user/a/&repo=https://h.test/r&urlpath=a%20b", tab)).toBe(true);
  expect(wasWanted(ADDRESS, tab)).toBe(false);
});

test("another address, one that was taken back, and none are not wanted", () => {
  const tab = notes();
  expect(wasWanted(ADDRESS, tab)).toBe(false);
  want(ADDRESS, tab);
  expect(wasWanted(ADDRESS.replace("h.test", "evil.test"), tab)).toBe(false);
  want(ADDRESS, tab);
  want(null, tab);
  expect(wasWanted(ADDRESS, tab)).toBe(false);
});

test("a browser that keeps nothing is no failure", () => {
  const refused = () => {
    throw new DOMException("denied", "SecurityError");
  };
  want(ADDRESS, refused);
  expect(wasWanted(ADDRESS, refused)).toBe(false);
});
