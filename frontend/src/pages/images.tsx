import { useMemo, useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { formLink } from "../core/links.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { Announcer, say } from "../ui/index.ts";
import { Card } from "./card.tsx";
import { fitting, isOwn } from "./listing.ts";
import { AWAY, Notices } from "./notices.tsx";
import type { Page } from "./page.ts";
import { SearchBox } from "./search-box.tsx";
import { useBuilds } from "./use-builds.ts";
import { textOf, useNewest } from "./use-newest.ts";

/** *My images*: what the user built, and what an admin shows to everybody. */
export function ImagesPage({ page, service }: { page: Page; service: Service }) {
  const { builds, error, away, more, showMore, take, drop } = useBuilds(service, true);
  const [search, setSearch] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const own = useMemo(() => (builds ?? []).filter(isOwn), [builds]);
  const outdated = useNewest(service, own);
  const shown = fitting(own, search);

  const update = async (build: Build): Promise<void> => {
    setProblem(null);
    try {
      take(await service.begin(textOf(build)));
      say("The build begins.");
      // the button went with the reason for it
      heading.current?.focus();
    } catch (failed) {
      setProblem(sentence(failed));
    }
  };
  const gone = (id: string): void => {
    drop(id);
    heading.current?.focus();
  };

  return (
    <>
      <div class="ib-title">
        <h1 ref={heading} tabIndex={-1}>
          My images
        </h1>
        {own.length > 0 && (
          <a class="ib-button ib-primary" href={`${page.hub}spawn`}>
            Build another one
          </a>
        )}
      </div>
      <Notices away={away} errors={[error, problem]} />
      {builds === null && error === null && !away && <p class="ib-muted">Loading…</p>}
      {builds !== null && own.length === 0 && <Nothing page={page} />}
      {own.length > 0 && (
        <>
          <SearchBox
            label="Search by repository, branch, commit or state"
            value={search}
            onInput={setSearch}
          />
          <ul class="ib-cards" aria-label="Builds and images">
            {shown.map((build) => (
              <Card
                key={build.id}
                page={page}
                service={service}
                build={build}
                onChange={take}
                onGone={gone}
                onUpdate={outdated.has(build.id) ? () => update(build) : undefined}
              />
            ))}
          </ul>
          {shown.length === 0 && <p class="ib-muted">Nothing fits “{search}”.</p>}
        </>
      )}
      {more && (
        <button type="button" class="ib-button" onClick={showMore}>
          Show older ones
        </button>
      )}
      <Announcer text={away ? AWAY : ""} />
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
      <p class="ib-actions">
        <a class="ib-button ib-primary" href={`${page.hub}spawn`}>
          Open the form
        </a>
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
