import { useState } from "preact/hooks";
import { culprit } from "../core/advice.ts";
import type { Build } from "../core/api.ts";
import { bytes } from "../core/when.ts";
import { type Service, ServiceError } from "../service/client.ts";
import {
  Ago,
  Announcer,
  CopyButton,
  Failure,
  LogView,
  Stages,
  useBuild,
  useNow,
} from "../ui/index.ts";
import { Actions } from "./actions.tsx";
import { Notices } from "./images.tsx";
import { shortName } from "./listing.ts";
import type { Page } from "./page.ts";
import { sentence } from "./use-builds.ts";

const SECOND = 1000;

interface Props {
  page: Page;
  service: Service;
  id: string;
}

/** One build: where it is, what it says, and what can be done with it. */
export function BuildPage({ page, service, id }: Props) {
  const { story, build: told, log, version, error, away } = useBuild(service, id);
  const [changed, setChanged] = useState<Build | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [show, setShow] = useState<{ line: number } | null>(null);
  const now = useNow(SECOND);

  if (error !== null && story === null) {
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
  if (story === null || told === null) {
    return <p class="ib-muted">Loading…</p>;
  }
  const build: Build = {
    ...told,
    ...(changed?.id === id ? { published: changed.published } : {}),
    phase: story.phase,
  };
  const moved = (next: Build): void => {
    if (next.id === id) {
      setChanged(next);
    } else {
      location.assign(`${page.service}builds/${encodeURIComponent(next.id)}`);
    }
  };
  const download = async (): Promise<void> => {
    try {
      save(await service.log(id), `build-${id}.log`);
    } catch (failed) {
      setProblem(sentence(failed));
    }
  };
  const again = async (): Promise<void> => {
    try {
      moved(await service.rebuild(id));
    } catch (failed) {
      setProblem(sentence(failed));
    }
  };
  const guilty = story.phase === "failed" ? culprit(log) : null;

  return (
    <>
      <h1>{shortName(build.repository)}</h1>
      <Facts page={page} build={build} />
      <Notices away={away} errors={[problem]} />
      <Stages story={story} now={now} />
      {story.phase === "failed" && (
        <Failure
          reason={story.reason}
          message={story.message}
          log={log}
          onShow={(line) => setShow({ line })}
          onRetry={build.mine || page.user.admin ? again : undefined}
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
        onDownload={download}
      />
      <Announcer story={story} />
    </>
  );
}

function Facts({ page, build }: { page: Page; build: Build }) {
  return (
    <dl class="ib-dl">
      <dt>Repository</dt>
      <dd>
        {/^https?:/.test(build.repository) ? (
          <a href={build.repository}>{build.repository}</a>
        ) : (
          build.repository
        )}
      </dd>
      <dt>Ref</dt>
      <dd>{build.ref}</dd>
      <dt>Commit</dt>
      <dd>
        <code>{build.commit}</code>
      </dd>
      {build.phase === "built" && (
        <>
          <dt>Image</dt>
          <dd>
            <code>{build.image}</code> <CopyButton text={build.image} />
          </dd>
        </>
      )}
      {build.size !== null && (
        <>
          <dt>Size</dt>
          <dd>{bytes(build.size)}</dd>
        </>
      )}
      <dt>Asked for</dt>
      <dd>
        <Ago date={build.created} />
        {build.owner !== null && build.owner !== page.user.name && <> by {build.owner}</>}
      </dd>
    </dl>
  );
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
