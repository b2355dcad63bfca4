import { useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { say } from "../ui/index.ts";

interface Outcome {
  text: string;
  /** What became of it: a build's id, or why there is none. */
  id: string | null;
  says: string;
}

interface Props {
  service: Service;
  /** Where a build is shown, by its id. */
  addressOf: (id: string) => string;
  onBegun: (build: Build) => void;
}

/** A list of repositories to build before anybody waits for them. */
export function Prebuild({ service, addressOf, onBegun }: Props) {
  const [text, setText] = useState("");
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([]);
  const [busy, setBusy] = useState(false);

  const begin = async (): Promise<void> => {
    if (busy || lines(text).length === 0) {
      return;
    }
    setBusy(true);
    setOutcomes([]);
    const refused: string[] = [];
    for (const line of lines(text)) {
      const outcome = await one(service, line, onBegun);
      if (outcome.id === null) {
        refused.push(line);
      }
      setOutcomes((known) => [...known, outcome]);
    }
    // what did not work stays in the field, to be mended there
    setText(refused.join("\n"));
    setBusy(false);
    say(refused.length === 0 ? "All were asked for." : `${refused.length} were refused.`);
  };

  return (
    <section aria-labelledby="ib-prebuild">
      <h2 id="ib-prebuild">Build in advance</h2>
      <p id="ib-prebuild-hint" class="ib-muted">
        What is built by the time somebody asks for it starts at once. Publish it to show it in
        everybody's list.
      </p>
      <label for="ib-prebuild-text">Repositories, one per line</label>
      <textarea
        id="ib-prebuild-text"
        class="ib-input"
        rows={4}
        placeholder={"https://github.com/org/repo\nhttps://github.com/org/other@v1.2"}
        spellcheck={false}
        readOnly={busy}
        aria-describedby="ib-prebuild-hint"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="ib-actions">
        <button
          type="button"
          class="ib-button ib-primary"
          aria-disabled={busy || lines(text).length === 0}
          onClick={begin}
        >
          {busy ? "Asking…" : "Build them"}
        </button>
      </div>
      <ul class="ib-outcomes">
        {outcomes.map((outcome) => (
          <li key={outcome.text}>
            <code>{outcome.text}</code>:{" "}
            {outcome.id === null ? (
              <span class="ib-error">{outcome.says}</span>
            ) : (
              <a href={addressOf(outcome.id)}>{outcome.says}</a>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Each repository once, empty lines left out. */
export function lines(text: string): readonly string[] {
  const found = text.split(/\r?\n/).map((line) => line.trim());
  return [...new Set(found.filter((line) => line !== "" && !line.startsWith("#")))];
}

async function one(
  service: Service,
  text: string,
  onBegun: (build: Build) => void,
): Promise<Outcome> {
  try {
    const build = await service.begin(text);
    onBegun(build);
    return { text, id: build.id, says: build.cached ? "is built already" : build.message };
  } catch (problem) {
    return { text, id: null, says: sentence(problem) };
  }
}
