import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Log } from "../core/log.ts";
import { CopyButton } from "./copy-button.tsx";
import { FindBox } from "./find-box.tsx";
import { highlight } from "./highlight.ts";
import { reveal } from "./reveal.ts";
import { Sheet } from "./sheet.ts";
import { type End, useEnd } from "./use-end.ts";
import { type Find, useFind } from "./use-find.ts";

/** Lines around the one that is shown in which what was found is highlighted. */
const AROUND = 200;

interface Props {
  log: Log;
  /** Another number whenever lines came. */
  version: number;
  /** Whether more may come. */
  live: boolean;
  /** The line that shows the failure: marked, and shown when it becomes known. */
  culprit?: number | null | undefined;
  /** A line to show now; the same line in another object shows it again. */
  show?: { line: number } | null | undefined;
  onDownload?: (() => void) | undefined;
  label?: string;
}

/**
 * The log of a build: real text, which follows its end until one scrolls away from it.
 *
 * No live region: a screen reader reads it where one goes there (see `Announcer` for the stages).
 */
export function LogView(props: Props) {
  const { log, version, live, culprit = null, show = null } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const [wrap, setWrap] = useState(true);
  const id = useId();
  const end = useEnd(scroller);
  const find = useFind(log, version);
  const sheet = useSheet(host, log, version, end);
  useShown(sheet, scroller, end, { culprit, show, find, version });
  return (
    <div class={`ib-log ${live ? "ib-live" : ""}`}>
      <div class="ib-log-bar">
        <FindBox find={find} />
        <span class="ib-log-tools">
          <button
            type="button"
            class="ib-button"
            aria-pressed={wrap}
            onClick={() => setWrap(!wrap)}
          >
            Wrap lines
          </button>
          <CopyButton text={() => log.text()} label="Copy all" />
          {props.onDownload && (
            <button type="button" class="ib-button" onClick={props.onDownload}>
              Download
            </button>
          )}
        </span>
      </div>
      <div class="ib-log-frame">
        <section
          ref={scroller}
          id={id}
          class={`ib-log-scroller ${wrap ? "ib-wrap" : ""}`}
          aria-label={props.label ?? "Log of the build"}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls needs the keys for it
          tabIndex={0}
        >
          <div ref={host} class="ib-log-lines" />
        </section>
        {log.length === 0 && (
          <p class="ib-log-empty">
            {live ? "Nothing was printed yet." : "Nothing was printed, or nothing was kept."}
          </p>
        )}
        {!end.following && (
          <button
            type="button"
            class="ib-button ib-log-jump"
            aria-controls={id}
            onClick={() => {
              end.jump();
              scroller.current?.focus({ preventScroll: true });
            }}
          >
            Jump to the end
          </button>
        )}
      </div>
    </div>
  );
}

type Ref<T> = { current: T | null };

/** The lines in the page, drawn before the browser paints. */
function useSheet(host: Ref<HTMLElement>, log: Log, version: number, end: End): Ref<Sheet> {
  const sheet = useRef<Sheet | null>(null);
  useLayoutEffect(() => {
    sheet.current = host.current && new Sheet(host.current, log);
    return () => sheet.current?.close();
  }, [host, log]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines that came are the reason
  useLayoutEffect(() => {
    sheet.current?.sync();
    end.grown();
  }, [log, version, end.grown]);
  return sheet;
}

interface Shown {
  culprit: number | null;
  show: { line: number } | null;
  find: Find;
  version: number;
}

/** Marks and shows the culprit, the line that is asked for, and what was found. */
function useShown(sheet: Ref<Sheet>, scroller: Ref<HTMLElement>, end: End, shown: Shown): void {
  const { culprit, show, find } = shown;
  const { leave } = end;
  const found = find.at === null ? null : (find.lines[find.at] ?? null);
  useEffect(() => {
    sheet.current?.mark(culprit, "ib-culprit");
    if (culprit !== null) {
      leave();
      return reveal(scroller.current, () => sheet.current?.element(culprit) ?? null);
    }
    return undefined;
  }, [sheet, scroller, culprit, leave]);
  useEffect(() => {
    if (show === null) {
      return undefined;
    }
    leave();
    scroller.current?.focus({ preventScroll: true });
    scroller.current?.scrollIntoView?.({ block: "nearest" });
    return reveal(scroller.current, () => sheet.current?.element(show.line) ?? null);
  }, [sheet, scroller, show, leave]);
  useEffect(() => {
    const lines = sheet.current;
    lines?.mark(found, "ib-found");
    highlight(lines === null ? [] : around(lines, found), find.query);
    if (found !== null) {
      leave();
      // the page may end above the line
      scroller.current?.scrollIntoView?.({ block: "nearest" });
      return reveal(scroller.current, () => lines?.element(found) ?? null);
    }
    return undefined;
  }, [sheet, scroller, found, find.query, leave]);
  useEffect(() => () => highlight([], ""), []);
}

function* around(sheet: Sheet, line: number | null): Generator<HTMLElement> {
  if (line !== null) {
    for (let at = line - AROUND; at <= line + AROUND; at++) {
      const element = sheet.element(at);
      if (element !== null) {
        yield element;
      }
    }
  }
}
