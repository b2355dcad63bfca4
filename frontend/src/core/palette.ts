/** xterm's colours: which of the first sixteen is nearest. */

type Colour = readonly [number, number, number];

const BASE: readonly Colour[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
];
const LEVELS = [0, 95, 135, 175, 215, 255];

/**
 * The nearest of the sixteen, 0 to 15; null where there is no such colour.
 *
 * @param colour one of the 256 by its number, or its red, green and blue, 0 to 255 each.
 */
export function nearest(colour: number | Colour): number | null {
  if (typeof colour === "number") {
    if (!(Number.isInteger(colour) && colour >= 0 && colour < 256)) {
      return null;
    }
    return colour < BASE.length ? colour : nearest(indexed(colour));
  }
  if (!colour.every((value) => value >= 0 && value < 256)) {
    return null;
  }
  const distances = BASE.map((base) => distance(base, colour));
  return distances.indexOf(Math.min(...distances));
}

/** A colour of the cube of 6 × 6 × 6, or one of the 24 greys behind it. */
function indexed(index: number): Colour {
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return [grey, grey, grey];
  }
  const level = (step: number) => LEVELS[Math.floor((index - 16) / step) % 6] ?? 0;
  return [level(36), level(6), level(1)];
}

function distance(one: Colour, other: Colour): number {
  return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2;
}
