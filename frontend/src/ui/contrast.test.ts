import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const sheets = ["ui.css", "log.css"].map((name) =>
  readFileSync(join(dirname(fileURLToPath(import.meta.url)), name), "utf-8"),
);
const css = sheets.join("\n");
const HEX = "(#[0-9a-f]{3,6})";

type Theme = 0 | 1;

/** A declaration's colour, light or dark. */
function colour(selector: string, property: string, theme: Theme): string {
  const rule = css.split("}").find((one) => {
    const selectors = (one.split("{")[0] ?? "").replace(/\/\*[\s\S]*?\*\//g, "");
    return selectors
      .split(",")
      .map((part) => part.trim())
      .includes(selector);
  });
  const value = new RegExp(`[\\s;{]${property}:([^;]*);`).exec(rule ?? "")?.[1] ?? "";
  const both = new RegExp(`light-dark\\(${HEX}, ${HEX}\\)`).exec(value);
  const found = both?.[theme + 1] ?? new RegExp(HEX).exec(value)?.[1];
  if (found === undefined) {
    throw new Error(`no ${property} for ${selector}: ${value}`);
  }
  return found;
}

function luminance(hex: string): number {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((c) => c + c).join("") : hex.slice(1);
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const value = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const INKS = [...NAMES, ...NAMES.map((name) => `bright-${name}`)].map(
  (name) => [`.ib-log .ansi-${name}`, "color"] as const,
);
const LOG = [
  [".ib-log", "--ib-log-bg"],
  [".ib-line.ib-culprit", "background"],
  [".ib-line.ib-found", "background"],
] as const;
/** Those of Bootstrap's themes, as the hub's pages have them. */
const PAGE = [
  ["#fff", "#f8f9fa"],
  ["#212529", "#2b3035"],
] as const;

describe.each([
  ["light", 0],
  ["dark", 1],
] as const)("%s", (_name, theme) => {
  test.each(LOG)("a terminal's colours on %s", (ground, property) => {
    const own: (readonly [string, string])[] = [
      [".ib-log", "--ib-log-color"],
      [".ib-log", "--ib-log-quiet"],
    ];
    const low = [...INKS, ...own].filter(
      (ink) => contrast(colour(...ink, theme), colour(ground, property, theme)) < 4.5,
    );
    expect(low).toEqual([]);
  });

  test.each(["--ib-quiet", "--ib-danger", "--ib-color"])("%s on a page", (name) => {
    for (const ground of PAGE[theme]) {
      expect(contrast(colour(":root", name, theme), ground)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("what a failure says", () => {
    const ground = colour(":root", "--ib-danger-bg", theme);
    for (const ink of [
      colour(":root", "--ib-danger", theme),
      colour(".ib-failure", "color", theme),
      colour(".ib-failure .ib-link", "color", theme),
    ]) {
      expect(contrast(ink, ground)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("buttons that are filled", () => {
    for (const name of ["--ib-primary", "--ib-danger-solid"]) {
      expect(contrast("#fff", colour(":root", name, theme))).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("edges of what one can use", () => {
    const edge = colour(":root", "--ib-edge", theme);
    expect(contrast(edge, PAGE[theme][0])).toBeGreaterThanOrEqual(3);
  });
});

test("the rule for contrast is the one of the guidelines", () => {
  expect(contrast("#000", "#ffffff")).toBeCloseTo(21);
  expect(contrast("#767676", "#fff")).toBeCloseTo(4.54, 2);
});
