import type { Outlook as Known } from "../core/api.ts";
import { duration } from "../core/when.ts";
import { Ago } from "../ui/ago.tsx";

const SHORT = 7;

interface Props {
  known: Known;
  /** Whether it is still about what is in the fields. */
  settled: boolean;
  /** Whether the repository came with a link. */
  linked: boolean;
}

/** What a start would do: the commit, whether there is an image of it, and what stands in the way. */
export function Outlook({ known, settled, linked }: Props) {
  const full = fullness(known);
  return (
    <section
      class={`ib-outlook ${known.cached ? "ib-have" : "ib-need"}`}
      aria-label="What will be built"
      aria-busy={settled ? undefined : true}
    >
      <p class="ib-verdict">
        <span class="ib-sign" aria-hidden="true" />
        {verdict(known)}
      </p>
      <p class="ib-commit">
        <code title={known.commit}>{known.commit.slice(0, SHORT)}</code>{" "}
        {known.title && <span class="ib-title">{known.title}</span>} <Ago date={known.date} />
      </p>
      {full && <p class="ib-full">{full}</p>}
      {linked && !known.familiar && (
        <p class="ib-foreign" role="note">
          <strong>Code of somebody else.</strong> The link that you followed brought{" "}
          <b>{bare(known.repository)}</b>, which neither you nor this hub has used before. Its code
          runs as you, with your files: start it only if you trust it.
        </p>
      )}
    </section>
  );
}

/** One sentence: is there an image, and if not, how long it takes. */
export function verdict(known: Known): string {
  if (known.cached) {
    return "Already built: starts at once.";
  }
  const time = known.expected_seconds === null ? "" : `, ${about(known.expected_seconds)}`;
  return known.under_way ? `Being built already${time}: you join.` : `Will be built${time}.`;
}

/** Why a build would not begin at once; null: it would. */
export function fullness({ cached, under_way, limits }: Known): string | null {
  if (cached || under_way) {
    return null;
  }
  if (reached(limits.waiting)) {
    return "So many builds wait that the queue takes no more just now: try again in a while.";
  }
  if (reached(limits.user)) {
    const count = limits.user.limit;
    return `You may have ${count} ${count === 1 ? "build" : "builds"} running at once: this one waits until one of them ends.`;
  }
  if (reached(limits.repository)) {
    return "As many builds of this repository as may be are running: this one waits for one of them to end.";
  }
  if (reached(limits.running)) {
    return "All places for builds are taken: this one waits for its turn.";
  }
  return null;
}

function reached({ limit, used }: { limit: number | null; used: number | null }): boolean {
  return limit !== null && used !== null && used >= limit;
}

function about(seconds: number): string {
  const text = duration(seconds);
  return text.startsWith("about") ? text : `about ${text}`;
}

/** A repository's address without what all of them have. */
export function bare(repository: string): string {
  return repository.replace(/^https?:\/\//, "").replace(/\.git$/, "");
}
