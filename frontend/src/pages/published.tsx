import { useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { Ago, say } from "../ui/index.ts";
import { refName, shortName } from "./listing.ts";
import { buildAddress, type Page } from "./page.ts";
import { QUESTIONS } from "./questions.ts";

interface Props {
  page: Page;
  service: Service;
  /** Null: not known yet. */
  builds: readonly Build[] | null;
  onChange: (build: Build) => void;
}

/** What is in everybody's list. */
export function Published({ page, service, builds, onChange }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = (builds ?? []).filter((build) => build.published);
  // nothing is lost by it, so it is done without a question
  const takeOut = async (build: Build): Promise<void> => {
    setProblem(null);
    try {
      await service.publish(build.id, false);
      onChange({ ...build, published: false });
      say(QUESTIONS.unpublish.done);
      heading.current?.focus();
    } catch (failed) {
      setProblem(sentence(failed));
    }
  };
  return (
    <section aria-labelledby="ib-everybody">
      <h2 id="ib-everybody" ref={heading} tabIndex={-1}>
        For everybody
      </h2>
      {problem !== null && (
        <p class="ib-error" role="alert">
          {problem}
        </p>
      )}
      {builds !== null && shown.length === 0 && (
        <p class="ib-muted">
          No image is in everybody's list. Press Publish beside one that is built to put it there.
        </p>
      )}
      {shown.length > 0 && (
        <ul class="ib-rows" aria-label="Images for everybody">
          {shown.map((build) => (
            <li key={build.id}>
              <span class="ib-facts">
                <a id={`ib-published-${build.id}`} href={buildAddress(page, build.id)}>
                  {shortName(build.repository)}
                </a>
                {refName(build) !== null && <span>{refName(build)}</span>}
                <code title={build.commit}>{build.commit.slice(0, 7)}</code>
                <Ago date={build.created} />
              </span>
              <button
                type="button"
                class="ib-button"
                aria-describedby={`ib-published-${build.id}`}
                onClick={() => takeOut(build)}
              >
                Unpublish
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
