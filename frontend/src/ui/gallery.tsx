/**
 * Every component in every state, to look at: `npx vite`, then `/gallery.html`.
 *
 * `?theme=dark`; `?style=<address>` of a style sheet, as the hub's; `?lines=100000&rate=2000` shows
 * one log alone, with so many lines and so many more each second.  No part of what is built.
 */

import { render } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { Log } from "../core/log.ts";
import { begin, type Story } from "../core/story.ts";
import { lines, story, T0 } from "./gallery-data.ts";
import {
  Ago,
  Announcer,
  Combobox,
  Confirm,
  CopyButton,
  Failure,
  LogView,
  Stages,
  useNow,
} from "./index.ts";

const asked = new URLSearchParams(location.search);
const failing = new Log();
for (const line of lines(120, true)) {
  failing.append(line);
}
failing.append("3 lines were lost here: the log was rotated away", true);
failing.append('ERROR: failed to solve: process "/bin/sh -c mamba env update" exit code: 1');
const running = new Log();
for (const line of lines(40, false)) {
  running.append(line);
}
const STATES: [string, Story][] = [
  ["waiting for its turn", story("waiting", { position: 3 })],
  ["fetching", story("fetching")],
  ["building", story("building")],
  ["built", story("built")],
  ["there already", begin({ ...story("built").build, phases: { built: T0 } })],
  ["failed", story("failed", { reason: "build-failed", message: "A step failed." })],
  ["cancelled", story("cancelled")],
];
const REFS = [
  { value: "main", detail: "the default branch" },
  { value: "develop", detail: "branch" },
  { value: "feature/a-long-name-for-a-branch-that-somebody-thought-of", detail: "branch" },
  ...Array.from({ length: 150 }, (_, at) => ({ value: `v1.${at}`, detail: "tag" })),
];

function Gallery() {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [show, setShow] = useState<{ line: number } | null>(null);
  const now = useNow();
  return (
    <>
      <h1>Components</h1>
      {STATES.map(([name, state]) => (
        <section key={name}>
          <h2>{name}</h2>
          <Stages story={state} now={Date.parse(T0) + 125_000} />
        </section>
      ))}
      <h2>Failures</h2>
      <Failure
        reason="build-failed"
        message="A step of the build failed: mamba ended with code 1."
        log={failing}
        onRetry={() => undefined}
        onRebuild={() => undefined}
        onShow={(line) => setShow({ line })}
      />
      <br />
      <Failure
        reason="registry-unavailable"
        message="The registry did not answer for 30 seconds."
        log={null}
        onRetry={() => undefined}
      />
      <h2>Log of a failure</h2>
      <LogView
        log={failing}
        version={0}
        live={false}
        culprit={failing.length - 1}
        show={show}
        onDownload={() => undefined}
      />
      <h2>Log of a build under way</h2>
      <LogView log={running} version={0} live={true} />
      <h2>Empty logs</h2>
      <LogView log={new Log()} version={0} live={true} />
      <h2>Fields</h2>
      <Combobox
        label="Branch, tag or commit"
        value={text}
        onInput={setText}
        options={REFS}
        onPick={(option) => setText(option.value)}
        hint="Empty means the default branch."
      />
      <Combobox
        label="Repository"
        value="https://github.com/org/nothing-here"
        onInput={setText}
        options={[]}
        onPick={() => undefined}
        error="There is no such repository, or it is private."
      />
      <Combobox
        label="Repository, being looked up"
        value="https://github.com/org/repo"
        onInput={setText}
        options={[]}
        onPick={() => undefined}
        busy={true}
      />
      <h2>Small ones</h2>
      <p class="ib-actions">
        <button type="button" class="ib-button ib-primary">
          Build and start
        </button>
        <button type="button" class="ib-button" onClick={() => setOpen(true)}>
          Ask
        </button>
        <button type="button" class="ib-button ib-danger">
          Delete
        </button>
        <button type="button" class="ib-button" disabled>
          Not now
        </button>
        <CopyButton text="copied" />
      </p>
      <p>
        <Ago date={new Date(now - 3_600_000)} />
      </p>
      <Confirm
        open={open}
        title="Cancel the build?"
        confirm="Cancel the build"
        danger={true}
        onConfirm={() => setOpen(false)}
        onClose={() => setOpen(false)}
      >
        <p>What it has done so far is lost.</p>
      </Confirm>
      <Announcer story={STATES[2]?.[1] ?? null} />
    </>
  );
}

/** One log alone, which grows. */
function Growing({ count, rate }: { count: number; rate: number }) {
  const [log] = useState(() => filled(count));
  const [version, changed] = useReducer((before: number, _: undefined) => before + 1, 0);
  useEffect(() => {
    const start = performance.now();
    let sent = 0;
    let frame = 0;
    const more = (): void => {
      const due = Math.floor(((performance.now() - start) / 1000) * rate);
      for (const line of lines(due - sent, true)) {
        log.append(line);
      }
      sent = due;
      changed(undefined);
      frame = requestAnimationFrame(more);
    };
    frame = requestAnimationFrame(more);
    return () => cancelAnimationFrame(frame);
  }, [log, rate]);
  return <LogView log={log} version={version} live={true} />;
}

function filled(count: number): Log {
  const log = new Log();
  for (const line of lines(count, true)) {
    log.append(line);
  }
  return log;
}

const style = asked.get("style");
if (style !== null) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = style;
  document.head.prepend(link);
}
document.documentElement.setAttribute("data-bs-theme", asked.get("theme") ?? "light");
document.body.className = "ib-gallery";
const host = document.getElementById("gallery");
if (host !== null) {
  const count = Number(asked.get("lines") ?? 0);
  render(
    count > 0 ? <Growing count={count} rate={Number(asked.get("rate") ?? 0)} /> : <Gallery />,
    host,
  );
}
