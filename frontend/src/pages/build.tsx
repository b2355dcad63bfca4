import { useEffect, useMemo, useState } from "preact/hooks";
import { culprit } from "../core/advice.ts";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { ServiceError, sentence } from "../service/errors.ts";
import { Announcer, downloadLog, Failure, LogView, Stages, useBuild, useNow } from "../ui/index.ts";
import { Actions } from "./actions.tsx";
import { Facts } from "./facts.tsx";
import { shortName } from "./listing.ts";
import { AWAY, Notices } from "./notices.tsx";
import { buildAddress, type Page } from "./page.ts";
import { wordFor } from "./state.tsx";

const SECOND = 1000;

interface Props {
  page: Page;
  service: Service;
  id: string;
}

/** One build: where it is, what it says, and what can be done with it. */
export function BuildPage({ page, service, id }: Props) {
  const { story, build: told, log, version, error, away } = useBuild(service, id);
  const [published, setPublished] = useState<boolean | null>(null);
  const [show, setShow] = useState<{ line: number } | null>(null);
  const now = useNow(SECOND, story !== null && !story.over);
  const failed = story?.phase === "failed";
  // biome-ignore lint/correctness/useExhaustiveDependencies: the log is the same object, grown
  const guilty = useMemo(() => (failed ? culprit(log) : null), [failed, log, version]);
  const name = told === null ? null : shortName(told.repository);
  const phase = story?.phase ?? null;
  useEffect(() => {
    if (name !== null && phase !== null) {
      document.title = `${wordFor(phase)}: ${name}`;
    }
  }, [name, phase]);

  if (story === null || told === null) {
    return (
      <>
        {error !== null ? (
          <Absent page={page} error={error} />
        ) : (
          !away && <p class="ib-muted">Loading…</p>
        )}
        <Notices away={away} errors={[]} />
        <Announcer text={away ? AWAY : ""} />
      </>
    );
  }
  const build: Build = {
    ...told,
    published: published ?? told.published,
    phase: story.phase,
  };
  const moved = (next: Build): void => {
    if (next.id === id) {
      setPublished(next.published);
    } else {
      location.assign(buildAddress(page, next.id));
    }
  };

  return (
    <div class="ib-build">
      <h1>{name}</h1>
      <Facts page={page} build={build} />
      <Notices away={away} errors={[error && sentence(error)]} />
      {/* the failure says it, with more */}
      <Stages story={failed ? { ...story, message: "" } : story} now={now} />
      {failed && (
        <Failure
          reason={story.reason}
          message={story.message}
          log={log}
          onShow={(line) => setShow({ line })}
        />
      )}
      <Actions
        page={page}
        service={service}
        build={build}
        onChange={moved}
        onGone={() => location.assign(page.service)}
      />
      <LogView
        log={log}
        version={version}
        live={!story.over}
        culprit={guilty}
        show={show}
        onDownload={() => void downloadLog(service, id, story.over, log)}
      />
      {away ? <Announcer text={AWAY} /> : <Announcer story={story} />}
    </div>
  );
}

function Absent({ page, error }: { page: Page; error: Error }) {
  const unknown = error instanceof ServiceError && error.status === 404;
  return (
    <section class="ib-empty">
      <h1>{unknown ? "This build is not here" : "The build cannot be shown"}</h1>
      <p>{unknown ? "It was deleted, or it is somebody else's." : sentence(error)}</p>
      <a class="ib-button ib-primary" href={page.service}>
        My images
      </a>
    </section>
  );
}
