import type { ComponentChildren } from "preact";
import { useId, useMemo } from "preact/hooks";
import { advise, culprit } from "../core/advice.ts";
import type { Log } from "../core/log.ts";

interface Props {
  reason: string | null;
  /** The service's sentence. */
  message: string;
  /** Null: there is no log, or it is not here yet. */
  log: Log | null;
  /** Asks for the same again; offered only where that can help. */
  onRetry?: (() => void) | undefined;
  /** Builds anew, whatever the registry has. */
  onRebuild?: (() => void) | undefined;
  /** Shows a line in the log. */
  onShow?: ((line: number) => void) | undefined;
  children?: ComponentChildren;
}

/** Why there is no image: a sentence, the line of the log that shows it, and what to change. */
export function Failure(props: Props) {
  const { reason, message, log, onRetry, onRebuild, onShow } = props;
  const heading = useId();
  const lines = log?.length ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the log is the same object, grown
  const line = useMemo(() => (log === null ? null : culprit(log)), [log, lines]);
  const advice = advise(reason);
  const shown = log !== null && line !== null ? log.at(line) : null;
  return (
    <section class="ib-failure" aria-labelledby={heading}>
      <h3 id={heading}>{advice.title}</h3>
      <p>{message}</p>
      {shown && line !== null && (
        <figure>
          <figcaption>
            Line {line + 1} of the log
            {onShow && (
              <button type="button" class="ib-link" onClick={() => onShow(line)}>
                Show it there
              </button>
            )}
          </figcaption>
          <pre>
            <code>{shown.text}</code>
          </pre>
        </figure>
      )}
      <p class="ib-change">{advice.change}</p>
      {props.children}
      {(onRebuild || (onRetry && advice.retry)) && (
        <div class="ib-actions">
          {onRetry && advice.retry && (
            <button type="button" class="ib-button ib-primary" onClick={onRetry}>
              Try again
            </button>
          )}
          {onRebuild && (
            <button type="button" class="ib-button" onClick={onRebuild}>
              Rebuild
            </button>
          )}
        </div>
      )}
    </section>
  );
}
