import { ago } from "../core/when.ts";
import { useNow } from "./now.ts";

const MINUTE = 60_000;

/**
 * How long ago something was, the exact time as its tooltip; nothing where nobody knows.
 *
 * @param props.date ISO 8601, or null
 */
export function Ago({ date }: { date: string | Date | null | undefined }) {
  const now = useNow(MINUTE);
  const then = date == null ? null : new Date(date);
  if (then === null || Number.isNaN(then.getTime())) {
    return null;
  }
  return (
    <time dateTime={then.toISOString()} title={then.toLocaleString()}>
      {ago(then, new Date(now))}
    </time>
  );
}
