/** Times and sizes as one says them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago: "just now", "5 min ago", "3 h ago", "yesterday", "6 days ago", "2 Mar 2026". */
export function ago(then: Date, now: Date): string {
  const seconds = (now.getTime() - then.getTime()) / 1000;
  if (Number.isNaN(seconds)) {
    return "";
  }
  // clocks differ: what is a little ahead of ours has just been
  if (seconds < 45) {
    return "just now";
  }
  if (seconds < 59.5 * MINUTE) {
    return `${Math.max(1, Math.round(seconds / MINUTE))} min ago`;
  }
  if (seconds < 23.5 * HOUR) {
    return `${Math.round(seconds / HOUR)} h ago`;
  }
  const days = Math.round(seconds / DAY);
  if (days < 31) {
    return days === 1 ? "yesterday" : `${days} days ago`;
  }
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" }).format(then);
}

/** About how long: "12 s", "about 4 min", "about 2 h". */
export function duration(seconds: number): string {
  const text = rounded(seconds);
  return text.endsWith(" s") ? text : `about ${text}`;
}

/** How long in one unit, where "about" need not be said: "12 s", "4 min", "2 h". */
export function rounded(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  const minutes = Math.round(whole / MINUTE);
  return minutes < 60 ? `${minutes} min` : `${Math.round(whole / HOUR)} h`;
}

/** How long exactly, for a clock that runs: "12 s", "4 min 5 s", "1 h 4 min". */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  if (whole < HOUR) {
    return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  }
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}

/** A size in powers of ten, as registries and disks count: "340 kB", "1.2 GB". */
export function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
