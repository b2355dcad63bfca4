import { describe, expect, it } from "vitest";
import { advise, culprit } from "./advice.ts";
import { golden } from "./golden.testing.ts";
import { Log } from "./log.ts";
import reasons from "./reasons.json" with { type: "json" };
import { EventParser } from "./sse.ts";

describe("advice", () => {
  const general = advise("none of them");

  it.each(reasons)("has something to say of %s", (reason) => {
    const advice = advise(reason);
    expect(advice).not.toEqual(general);
    expect(advice.title).toMatch(/^[A-Z].*[^.]$/);
    expect(advice.change).toMatch(/^[A-Z].*\.$/);
  });

  it("says each thing once", () => {
    expect(new Set(reasons.map((reason) => advise(reason).title)).size).toBe(reasons.length);
  });

  it.each([null, "", "toString", "__proto__", "new-reason"])("is general for %s", (reason) => {
    expect(advise(reason)).toEqual(general);
  });

  it("does not offer again what would fail again", () => {
    const pointless = ["build-failed", "ref-not-found", "spec-forbidden", "push-denied", "timeout"];
    expect(pointless.filter((reason) => advise(reason).retry)).toEqual([]);
    const worth = ["evicted", "executor-lost", "provider-unavailable", "quota", "push-failed"];
    expect(worth.filter((reason) => !advise(reason).retry)).toEqual([]);
  });
});

function logOf(lines: string[]): Log {
  const log = new Log();
  for (const line of lines) {
    log.append(line);
  }
  return log;
}

describe("the line that shows the failure", () => {
  const NOISE = ["Step 4/9 : RUN something", "Collecting numpy", "  Downloading numpy.whl (12 MB)"];
  const TAIL = ["The command '/bin/sh -c something' returned a non-zero code: 1"];

  it.each([
    "ERROR: No matching distribution found for nope==9",
    "#12 4.501 ERROR: No matching distribution found for nope==9",
    "\x1b[31mERROR: No matching distribution found\x1b[0m",
    "  - nothing provides requested nope",
    "error    libmamba Could not solve for environment specs",
    "PackagesNotFoundError: The following packages are not available from current channels:",
    "E: Unable to locate package nope",
    "ModuleNotFoundError: No module named 'nope'",
    "yaml.scanner.ScannerError: mapping values are not allowed here",
    "Error in library(nope) : there is no package called 'nope'",
    "npm ERR! 404 Not Found",
    "fatal: repository 'https://example.org/x/' not found",
    "./postBuild: line 3: nope: command not found",
    "/bin/sh: 1: /start: Permission denied",
    "OSError: [Errno 28] No space left on device",
    "write /var/lib/x: no space left on device",
    "Killed",
    "make: *** [Makefile:3: all] Error 2",
  ])("is %j", (line) => {
    expect(culprit(logOf([...NOISE, line, ...TAIL]))).toBe(NOISE.length);
  });

  it("is the last of several", () => {
    const lines = ["ERROR: Could not find a version", "ERROR: No matching distribution", ...TAIL];
    expect(culprit(logOf([...NOISE, ...lines]))).toBe(NOISE.length + 1);
  });

  it("is the end of a step where no cause is named", () => {
    expect(culprit(logOf([...NOISE, ...TAIL]))).toBe(NOISE.length);
    const buildkit = "ERROR: failed to solve: process did not complete successfully: exit code: 2";
    expect(culprit(logOf([...NOISE, buildkit]))).toBe(NOISE.length);
  });

  it("is none where nothing failed", () => {
    const warning = "ERROR: pip's dependency resolver does not currently take into account";
    expect(culprit(logOf([...NOISE, warning]))).toBeNull();
    expect(culprit(new Log())).toBeNull();
  });

  it("is not what was survived long ago", () => {
    const lines = ["E: Unable to locate package", ...Array(1000).fill("fine"), ...TAIL];
    expect(culprit(logOf(lines))).toBe(1001);
  });

  it("is found in a transcript", () => {
    const log = new Log();
    for (const { data } of new EventParser().push(golden("events-failed"))) {
      const event = JSON.parse(data);
      if (event.type === "log") {
        log.append(event.text);
      }
    }
    expect(log.at(culprit(log) ?? -1).text).toBe("ERROR: No matching distribution found for nope");
  });
});
