import { useEffect, useState } from "preact/hooks";
import type { Outlook } from "../core/api.ts";
import { badge, binderLink } from "../core/links.ts";
import type { Service } from "../service/client.ts";
import { Ago, CopyButton } from "../ui/index.ts";
import { absolute } from "./actions.tsx";
import type { Page } from "./page.ts";
import { sentence } from "./use-builds.ts";

/** Milliseconds without a key before the service is asked. */
const PAUSE = 300;

/** Makes links and badges that lead into the hub's form. */
export function LinkPage({ page, service }: { page: Page; service: Service }) {
  const [text, setText] = useState("");
  const [path, setPath] = useState("");
  const [content, setContent] = useState(false);
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    const ended = new AbortController();
    setError(null);
    if (text.trim() === "") {
      setOutlook(null);
      return () => undefined;
    }
    const timer = setTimeout(async () => {
      try {
        const told = await service.resolve(text, ended.signal);
        if (!ended.signal.aborted) {
          setOutlook(told);
        }
      } catch (problem) {
        if (!ended.signal.aborted) {
          setOutlook(null);
          setError(sentence(problem));
        }
      }
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [service, text]);

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
          aria-invalid={error !== null}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p id="ib-repository-hint" class={error === null ? "ib-muted" : "ib-error"}>
          {error ?? "An address, with a branch, tag or commit behind @ if wanted; or a DOI."}
        </p>
        <label for="ib-path">Open this path (optional)</label>
        <input
          id="ib-path"
          class="ib-input"
          value={path}
          placeholder="lab/tree/index.ipynb"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setPath(event.currentTarget.value)}
        />
        <label class="ib-check">
          <input
            type="checkbox"
            checked={content}
            onChange={(event) => setContent(event.currentTarget.checked)}
          />
          Put the repository's files into the user's home
        </label>
      </form>
      {outlook !== null && <Made page={page} outlook={outlook} path={path} content={content} />}
    </>
  );
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
      <p>
        <code>{outlook.commit.slice(0, 7)}</code> {outlook.title} <Ago date={outlook.date} />
      </p>
      <p>
        <a href={link}>
          <img src={`${page.service}badge.svg`} alt="Open in this hub" />
        </a>
      </p>
      {rows.map(([name, value]) => (
        <div key={name} class="ib-copy-row">
          <label>
            {name}
            <input
              class="ib-input"
              readOnly
              value={value}
              onFocus={(event) => event.currentTarget.select()}
            />
          </label>
          <CopyButton text={value} />
        </div>
      ))}
    </section>
  );
}
