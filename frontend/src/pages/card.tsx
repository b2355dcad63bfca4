import type { Build } from "../core/api.ts";
import { bytes, duration } from "../core/when.ts";
import type { Service } from "../service/client.ts";
import { Ago } from "../ui/index.ts";
import { Actions } from "./actions.tsx";
import { shortName, took } from "./listing.ts";
import type { Page } from "./page.ts";
import { State } from "./state.tsx";

interface Props {
  page: Page;
  service: Service;
  build: Build;
  onChange: (build: Build) => void;
  onGone: (id: string) => void;
  /** Builds the newest commit; there where the branch has moved. */
  onUpdate?: (() => void) | undefined;
}

/** A build in a list. */
export function Card({ page, service, build, onChange, onGone, onUpdate }: Props) {
  const seconds = took(build);
  return (
    <li class="ib-card">
      <div class="ib-card-head">
        <h2>
          <a href={`${page.service}builds/${encodeURIComponent(build.id)}`}>
            {shortName(build.repository)}
          </a>
        </h2>
        <State build={build} />
        {build.published && <span class="ib-tag">For everybody</span>}
        {onUpdate !== undefined && (
          <button type="button" class="ib-tag ib-tag-new" onClick={onUpdate}>
            New commits: build the newest
          </button>
        )}
      </div>
      <p class="ib-facts">
        {build.ref !== "" && build.ref !== build.commit && <span>{build.ref}</span>}
        <code title={build.commit}>{build.commit.slice(0, 7)}</code>
        <Ago date={build.created} />
        {seconds !== null && <span>took {duration(seconds).replace("about ", "")}</span>}
        {build.size !== null && <span>{bytes(build.size)}</span>}
        {build.owner !== null && build.owner !== page.user.name && <span>by {build.owner}</span>}
      </p>
      <Actions
        page={page}
        service={service}
        build={build}
        onChange={onChange}
        onGone={onGone}
        linked
      />
    </li>
  );
}
