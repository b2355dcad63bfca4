import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { culprit } from "../core/advice.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { Confirm } from "../ui/confirm.tsx";
import { downloadLog } from "../ui/download.ts";
import { Failure } from "../ui/failure.tsx";
import { LogView } from "../ui/log-view.tsx";
import { useNow } from "../ui/now.ts";
import { Stages } from "../ui/stages.tsx";
import type { Following } from "../ui/use-build.ts";
import { bare } from "./outlook.tsx";
import { HEAD } from "./wish.ts";

interface Props {
  service: Service;
  id: string;
  following: Following;
  /** What was asked for. */
  text: string;
  /** Whether the server is on its way. */
  starting: boolean;
  onRetry: () => void;
  onRebuild: () => void;
  /** Back to the fields; the build goes on. */
  onLeave: () => void;
}

/** A build from its place in the queue to its end. */
export function Progress(props: Props) {
  const { service, id, following, starting } = props;
  const { story, build, log, version, error } = following;
  const now = useNow(1000, story !== null && !story.over);
  const [show, setShow] = useState<{ line: number } | null>(null);
  const failed = story?.phase === "failed";
  // biome-ignore lint/correctness/useExhaustiveDependencies: the log is the same object, grown
  const line = useMemo(() => (failed ? culprit(log) : null), [failed, log, version]);
  const top = useRef<HTMLElement>(null);
  // the hub's button, which led here, is below all profiles
  useEffect(() => top.current?.scrollIntoView?.({ block: "nearest" }), []);
  return (
    <section class="ib-progress" aria-label="The build">
      <header class="ib-what" ref={top}>
        <span>
          <b>{bare(build?.repository ?? props.text)}</b>
          {build && (
            <>
              {" "}
              {build.ref !== HEAD && build.ref !== build.commit && <span>{build.ref} </span>}
              <code title={build.commit}>{build.commit.slice(0, 7)}</code>
            </>
          )}
        </span>
        <Buttons {...props} over={story?.over ?? true} />
      </header>
      {error && (
        <p class="ib-error" role="alert">
          {sentence(error)}
        </p>
      )}
      {following.away && (
        <p class="ib-notice">The connection is lost; the build goes on. Trying again…</p>
      )}
      {story && !failed && (
        <Stages
          story={starting ? { ...story, message: "Starting the server…" } : story}
          now={now}
        />
      )}
      {story && failed && (
        <Failure
          reason={story.reason}
          message={story.message}
          log={log}
          onRetry={props.onRetry}
          onRebuild={props.onRebuild}
          onShow={(wanted) => setShow({ line: wanted })}
        />
      )}
      {log.length > 0 && (
        <LogView
          log={log}
          version={version}
          live={!story?.over}
          culprit={line}
          show={show}
          onDownload={() => void downloadLog(service, id, story?.over ?? false, log)}
        />
      )}
    </section>
  );
}

function Buttons({ service, id, over, starting, onLeave }: Props & { over: boolean }) {
  const [asking, setAsking] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const cancel = (): void => {
    setAsking(false);
    setTrouble(null);
    service.cancel(id).catch((error: unknown) => setTrouble(sentence(error)));
  };
  if (starting) {
    return null;
  }
  return (
    <span class="ib-actions">
      {trouble && (
        <span class="ib-error" role="alert">
          {trouble}
        </span>
      )}
      {!over && (
        <button type="button" class="ib-button" onClick={() => setAsking(true)}>
          Cancel the build
        </button>
      )}
      <button type="button" class="ib-button" onClick={onLeave}>
        {over ? "Change" : "Something else"}
      </button>
      <Confirm
        open={asking && !over}
        title="Cancel this build?"
        confirm="Cancel the build"
        danger
        onConfirm={cancel}
        onClose={() => setAsking(false)}
      >
        <p>It ends for everybody who waits for it.</p>
      </Confirm>
    </span>
  );
}
