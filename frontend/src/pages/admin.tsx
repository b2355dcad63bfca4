import { useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { terminal } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import { Announcer } from "../ui/index.ts";
import { Card } from "./card.tsx";
import { fitting } from "./listing.ts";
import { AWAY, Notices } from "./notices.tsx";
import { Figures } from "./overview.tsx";
import { buildAddress, type Page } from "./page.ts";
import { Prebuild } from "./prebuild.tsx";
import { Published } from "./published.tsx";
import { SearchBox } from "./search-box.tsx";
import { useBuilds } from "./use-builds.ts";
import { useOverview } from "./use-overview.ts";

/** What goes on, for those who run the hub. */
export function AdminPage({ page, service }: { page: Page; service: Service }) {
  const { builds, error, away, more, showMore, take, drop } = useBuilds(service);
  const [search, setSearch] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const all = builds ?? [];
  const open = all.filter((build) => !terminal(build.phase));
  const over = fitting(
    all.filter((build) => terminal(build.phase)),
    search,
  );
  // figures change when a build begins, starts to run, or ends; and while nobody told of it
  const state = `${away} ${open.map((build) => `${build.id} ${build.phase}`).join()}`;
  const { overview, problem } = useOverview(service, state);
  const gone = (id: string): void => {
    drop(id);
    heading.current?.focus();
  };

  const cards = (shown: readonly Build[], label: string) =>
    shown.length > 0 && (
      <ul class="ib-cards" aria-label={label}>
        {shown.map((build) => (
          <Card
            key={build.id}
            page={page}
            service={service}
            build={build}
            onChange={take}
            onGone={gone}
            level={3}
          />
        ))}
      </ul>
    );

  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        All builds
      </h1>
      <Notices away={away} errors={[error, problem]} />
      <section aria-labelledby="ib-open">
        <h2 id="ib-open">Running and waiting</h2>
        {builds !== null && open.length === 0 && <p class="ib-muted">Nothing is being built.</p>}
        {cards(byTurn(open), "Builds that run or wait")}
      </section>
      {overview !== null && <Figures overview={overview} />}
      <Prebuild service={service} addressOf={(id) => buildAddress(page, id)} onBegun={take} />
      <Published page={page} service={service} builds={builds} onChange={take} />
      <section aria-labelledby="ib-over">
        <h2 id="ib-over">Ended</h2>
        <SearchBox
          label="Search by repository, branch, commit, owner, state or reason"
          value={search}
          onInput={setSearch}
        />
        {builds !== null && over.length === 0 && (
          <p class="ib-muted">
            {search === "" ? "No build has ended yet." : `Nothing fits “${search}”.`}
          </p>
        )}
        {cards(over, "Builds that are over")}
        {more && (
          <button type="button" class="ib-button" onClick={showMore}>
            Show older ones
          </button>
        )}
      </section>
      <Announcer text={away ? AWAY : ""} />
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
