import { useId } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { bytes, rounded } from "../core/when.ts";
import type { Service } from "../service/client.ts";
import { Ago } from "../ui/index.ts";
import { Actions } from "./actions.tsx";
import { refName, shortName, took } from "./listing.ts";
import { buildAddress, type Page } from "./page.ts";
import { State } from "./state.tsx";

interface Props {
  page: Page;
  service: Service;
  build: Build;
  onChange: (build: Build) => void;
  onGone: (id: string) => void;
  /** Builds the newest commit; there where the branch has moved. */
  onUpdate?: (() => void) | undefined;
  /** Of the heading: below that of its section. */
  level?: 2 | 3;
}

/** A build in a list. */
export function Card({ page, service, build, onChange, onGone, onUpdate, level = 2 }: Props) {
  const name = useId();
  const seconds = took(build);
  const ref = refName(build);
  const Heading = `h${level}` as const;
  return (
    <li class={`ib-card ib-is-${build.phase}`}>
      <div class="ib-about">
        <div class="ib-card-head">
          <Heading id={name}>
            <a href={buildAddress(page, build.id)}>{shortName(build.repository)}</a>
          </Heading>
          <State build={build} />
          {build.published && <span class="ib-tag">For everybody</span>}
          {onUpdate !== undefined && (
            <button
              type="button"
              class="ib-tag ib-tag-new"
              aria-describedby={name}
              onClick={onUpdate}
            >
              New commits: build the newest
            </button>
          )}
        </div>
        <p class="ib-facts">
          {ref !== null && <span>{ref}</span>}
          <code title={build.commit}>{build.commit.slice(0, 7)}</code>
          <Ago date={build.created} />
          {seconds !== null && <span>took {rounded(seconds)}</span>}
          {build.size !== null && <span>{bytes(build.size)}</span>}
          {build.owner !== null && build.owner !== page.user.name && <span>by {build.owner}</span>}
        </p>
        {build.phase === "failed" && <p class="ib-why">{build.message}</p>}
      </div>
      <Actions
        page={page}
        service={service}
        build={build}
        onChange={onChange}
        onGone={onGone}
        describedBy={name}
        linked
      />
    </li>
  );
}
