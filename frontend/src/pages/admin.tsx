import { useEffect, useState } from "preact/hooks";
import type { Build, Overview } from "../core/api.ts";
import { terminal } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import { Card } from "./card.tsx";
import { Notices } from "./images.tsx";
import { fitting } from "./listing.ts";
import { Figures } from "./overview.tsx";
import type { Page } from "./page.ts";
import { Prebuild } from "./prebuild.tsx";
import { sentence, useBuilds } from "./use-builds.ts";

/** What goes on, for those who run the hub. */
export function AdminPage({ page, service }: { page: Page; service: Service }) {
  const { builds, error, away, more, showMore, take, drop } = useBuilds(service);
  const [overview, setOverview] = useState<Overview | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [search, setSearch] = useState("");
  const open = (builds ?? []).filter((build) => !terminal(build.phase));
  const over = fitting(
    (builds ?? []).filter((build) => terminal(build.phase)),
    search,
  );
  // figures change when a build begins, starts to run, or ends
  const state = open.map((build) => `${build.id} ${build.phase}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the state says when to ask again
  useEffect(() => {
    let ended = false;
    service.overview().then(
      (told) => ended || setOverview(told),
      (failed: unknown) => ended || setProblem(sentence(failed)),
    );
    return () => {
      ended = true;
    };
  }, [service, state]);

  const cards = (shown: readonly Build[], label: string) => (
    <ul class="ib-cards" aria-label={label}>
      {shown.map((build) => (
        <Card
          key={build.id}
          page={page}
          service={service}
          build={build}
          onChange={take}
          onGone={drop}
        />
      ))}
    </ul>
  );

  return (
    <>
      <h1>All builds</h1>
      <Notices away={away} errors={[error, problem]} />
      <section aria-labelledby="ib-open">
        <h2 id="ib-open">Running and waiting</h2>
        {builds !== null && open.length === 0 && <p class="ib-muted">Nothing is being built.</p>}
        {cards(byTurn(open), "Builds that run or wait")}
      </section>
      {overview !== null && <Figures overview={overview} />}
      <Prebuild
        service={service}
        addressOf={(id) => `${page.service}builds/${encodeURIComponent(id)}`}
        onBegun={take}
      />
      <section aria-labelledby="ib-over">
        <h2 id="ib-over">Over</h2>
        <input
          type="search"
          class="ib-input ib-search"
          aria-label="Search by repository, branch, commit, owner or state"
          placeholder="Search"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        {builds !== null && over.length === 0 && <p class="ib-muted">Nothing to show.</p>}
        {cards(over, "Builds that are over")}
        {more && (
          <button type="button" class="ib-button" onClick={showMore}>
            Show older ones
          </button>
        )}
      </section>
    </>
  );
}

/** Those that run first, then the queue in its order. */
function byTurn(builds: readonly Build[]): readonly Build[] {
  return [...builds].sort(
    (one, other) =>
      (one.position ?? 0) - (other.position ?? 0) || one.created.localeCompare(other.created),
  );
}
