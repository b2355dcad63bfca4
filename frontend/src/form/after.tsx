import { useId } from "preact/hooks";
import { inServer } from "./opening.ts";
import type { Editing } from "./wish.ts";

interface Props {
  editing: Editing;
  /** Whether the content of this repository can be put into the home. */
  canFetch: boolean;
  /** Whose home; null: the viewer's own. */
  owner: string | null;
}

/** What happens when the server is there: what is opened, and what is put into the home. */
export function AfterStart({ editing, canFetch, owner }: Props) {
  const { draft } = editing;
  const id = useId();
  const path = inServer(draft.path);
  const odd = draft.path.trim() !== "" && path === null;
  return (
    <div class="ib-after">
      <div class="ib-field">
        <label for={id}>Open at the start</label>
        <input
          id={id}
          type="text"
          class="ib-input"
          autocomplete="off"
          spellcheck={false}
          placeholder="what the hub opens"
          value={draft.path}
          aria-describedby={`${id}-hint`}
          aria-invalid={odd ? true : undefined}
          onInput={(event) => editing.setPath(event.currentTarget.value)}
        />
        <div id={`${id}-hint`} class={odd ? "ib-error" : "ib-hint"}>
          {odd
            ? "This is no path inside a server: write for example analysis/intro.ipynb."
            : path === null || path === draft.path.trim()
              ? "A file such as analysis/intro.ipynb, or an address such as lab or rstudio."
              : `Opens ${path}.`}
        </div>
      </div>
      {canFetch && (
        <label class="ib-check">
          <input
            type="checkbox"
            checked={draft.content}
            onChange={(event) => editing.setContent(event.currentTarget.checked)}
          />
          <span>
            Put the repository's files into {owner === null ? "my" : `${owner}'s`} home
            <small class="ib-hint">Files that were changed there stay as they are.</small>
          </span>
        </label>
      )}
    </div>
  );
}
