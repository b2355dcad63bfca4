import { useId, useState } from "preact/hooks";
import type { Outlook } from "../core/api.ts";
import { badge, binderLink, safePath } from "../core/links.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { Ago, Announcer, CopyButton, REFUSED, useOutlook } from "../ui/index.ts";
import { AWAY } from "./notices.tsx";
import { absolute, type Page } from "./page.ts";

/** Makes links and badges that lead into the hub's form. */
export function LinkPage({ page, service }: { page: Page; service: Service }) {
  const [text, setText] = useState("");
  const [path, setPath] = useState("");
  const [content, setContent] = useState(false);
  const { known, settled, error, away, again } = useOutlook(service, text);
  const inside = safePath(path.trim());
  const wrong = settled && error !== null ? sentence(error) : null;
  // a link of what was there before is not to be copied for what is there now
  const outlook = settled && error === null && !away ? known : null;

  return (
    <>
      <h1>Links and badges</h1>
      <p>
        A link opens this hub's form with the repository filled in. Whoever follows it logs in, sees
        what would be built, and starts it: the link alone starts nothing.
      </p>
      <form class="ib-form" onSubmit={(event) => event.preventDefault()}>
        <label for="ib-repository">Repository</label>
        <input
          id="ib-repository"
          class="ib-input"
          value={text}
          placeholder="https://github.com/org/repo"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="ib-repository-hint"
          aria-invalid={wrong === null ? undefined : true}
          aria-busy={settled ? undefined : true}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p id="ib-repository-hint" class={wrong === null ? "ib-hint" : "ib-error"}>
          {wrong ?? "An address, with a branch, tag or commit behind @ if wanted; or a DOI."}
        </p>
        <label for="ib-path">Open this path (optional)</label>
        <input
          id="ib-path"
          class="ib-input"
          value={path}
          placeholder="what the hub opens"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="ib-path-hint"
          aria-invalid={inside === null ? true : undefined}
          onInput={(event) => setPath(event.currentTarget.value)}
        />
        <p id="ib-path-hint" class={inside === null ? "ib-error" : "ib-hint"}>
          {inside === null
            ? "This is no path inside a server: write for example analysis/intro.ipynb."
            : "A file such as analysis/intro.ipynb, or an address such as lab or rstudio."}
        </p>
        <label class="ib-check">
          <input
            type="checkbox"
            checked={content}
            onChange={(event) => setContent(event.currentTarget.checked)}
          />
          Put the repository's files into the user's home
        </label>
      </form>
      {away && settled && (
        <p class="ib-notice">
          The image builder does not answer.{" "}
          <button type="button" class="ib-button" onClick={again}>
            Try again
          </button>
        </p>
      )}
      {outlook !== null && inside !== null && (
        <Made page={page} outlook={outlook} path={inside} content={content} />
      )}
      <Announcer text={spoken(away, wrong !== null, outlook !== null)} />
    </>
  );
}

function spoken(away: boolean, wrong: boolean, made: boolean): string {
  return away ? AWAY : wrong ? REFUSED : made ? "The link is made." : "";
}

interface MadeProps {
  page: Page;
  outlook: Outlook;
  path: string;
  content: boolean;
}

function Made({ page, outlook, path, content }: MadeProps) {
  const service = absolute(page.service);
  const link = binderLink(service, outlook.provider, outlook.spec, path || undefined, content);
  const code = badge(link, service);
  const rows: [string, string][] = [
    ["Link", link],
    ["Markdown", code.markdown],
    ["HTML", code.html],
    ["reStructuredText", code.rst],
  ];
  return (
    <section aria-label="The link">
      <p class="ib-facts">
        <code title={outlook.commit}>{outlook.commit.slice(0, 7)}</code>
        {outlook.title !== null && <span>{outlook.title}</span>}
        <Ago date={outlook.date} />
      </p>
      <p>
        <a href={link}>
          <img src={`${page.service}badge.svg`} alt="Open in this hub" />
        </a>
      </p>
      {rows.map(([name, value]) => (
        <Row key={name} name={name} value={value} />
      ))}
    </section>
  );
}

/** Something to copy, by its button or by hand. */
function Row({ name, value }: { name: string; value: string }) {
  const id = useId();
  return (
    <div class="ib-copy-row">
      <label for={id}>{name}</label>
      <textarea
        id={id}
        class="ib-input"
        // a field of one line loses the others
        rows={value.trimEnd().split("\n").length}
        readOnly
        spellcheck={false}
        value={value}
        onFocus={(event) => event.currentTarget.select()}
      />
      <CopyButton text={value} />
    </div>
  );
}
