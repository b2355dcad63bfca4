import { useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { formLink } from "../core/links.ts";
import type { Service } from "../service/client.ts";
import { Announcer } from "../ui/index.ts";
import { Card } from "./card.tsx";
import { fitting } from "./listing.ts";
import type { Page } from "./page.ts";
import { sentence, useBuilds } from "./use-builds.ts";
import { useNewest } from "./use-newest.ts";

/** *My images*: what the user built, and what an admin shows to everybody. */
export function ImagesPage({ page, service }: { page: Page; service: Service }) {
  const { builds, error, away, more, showMore, take, drop } = useBuilds(service);
  const [search, setSearch] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const outdated = useNewest(service, builds);
  const shown = fitting((builds ?? []).filter(isOwn), search);

  const update = async (build: Build): Promise<void> => {
    try {
      setProblem(null);
      take(await service.begin(`build:${build.provider}/${build.spec}`));
    } catch (failed) {
      setProblem(sentence(failed));
    }
  };

  return (
    <>
      <div class="ib-title">
        <h1>My images</h1>
        <a class="ib-button ib-primary" href={`${page.hub}spawn`}>
          Build another one
        </a>
      </div>
      <Notices away={away} errors={[error, problem]} />
      {builds === null ? (
        error === null && <p class="ib-muted">Loading…</p>
      ) : builds.some(isOwn) ? (
        <>
          <input
            type="search"
            class="ib-input ib-search"
            aria-label="Search by repository, branch, commit or state"
            placeholder="Search"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
          <ul class="ib-cards" aria-label="Builds and images">
            {shown.map((build) => (
              <Card
                key={build.id}
                page={page}
                service={service}
                build={build}
                onChange={take}
                onGone={drop}
                onUpdate={outdated.has(build.id) ? () => update(build) : undefined}
              />
            ))}
          </ul>
          {shown.length === 0 && <p class="ib-muted">Nothing fits “{search}”.</p>}
          {more && (
            <button type="button" class="ib-button" onClick={showMore}>
              Show older ones
            </button>
          )}
        </>
      ) : (
        <Nothing page={page} />
      )}
      <Announcer text={away ? "The image builder does not answer." : ""} />
    </>
  );
}

/** An admin sees all builds elsewhere; here only what is theirs, or everybody's. */
function isOwn(build: Build): boolean {
  return build.mine || build.published;
}

/** What is wrong with the page as a whole. */
export function Notices({ away, errors }: { away: boolean; errors: readonly (string | null)[] }) {
  return (
    <>
      {away && (
        <p class="ib-notice" role="status">
          The image builder does not answer just now. This page shows what it said last, and goes on
          by itself.
        </p>
      )}
      {errors.map(
        (error) =>
          error !== null && (
            <p key={error} class="ib-error" role="alert">
              {error}
            </p>
          ),
      )}
    </>
  );
}

function Nothing({ page }: { page: Page }) {
  return (
    <section class="ib-empty">
      <h2>Nothing is built yet</h2>
      <ol>
        <li>Open the form with which you start a server.</li>
        <li>
          Choose <em>Build from a repository</em> and paste the address of a repository that says
          what it needs: a <code>requirements.txt</code>, an <code>environment.yml</code> or a{" "}
          <code>Dockerfile</code>.
        </li>
        <li>Watch it being built once. From then on it starts at once, and it is listed here.</li>
      </ol>
      <p>
        <a class="ib-button ib-primary" href={`${page.hub}spawn`}>
          Open the form
        </a>{" "}
        <a
          class="ib-button"
          href={formLink(page.hub, { build: "gh/binder-examples/requirements/HEAD" })}
        >
          Try an example
        </a>
      </p>
    </section>
  );
}
