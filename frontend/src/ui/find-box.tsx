import { useId } from "preact/hooks";
import type { Find } from "./use-find.ts";

/** A search field that says which of how many lines is shown; Enter goes on, Escape empties it. */
export function FindBox({ find }: { find: Find }) {
  const id = useId();
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "Enter") {
      // the form around it is not meant
      event.preventDefault();
      find.go(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && find.query !== "") {
      event.preventDefault();
      event.stopPropagation();
      find.ask("");
    }
  };
  const none = find.lines.length === 0;
  return (
    <span class="ib-find">
      <label for={id} class="ib-offscreen">
        Find in the log
      </label>
      <input
        id={id}
        type="search"
        class="ib-input"
        placeholder="Find in the log"
        aria-describedby={`${id}-count`}
        autocomplete="off"
        spellcheck={false}
        value={find.query}
        onInput={(event) => find.ask(event.currentTarget.value)}
        onKeyDown={pressed}
      />
      <span id={`${id}-count`} class={find.query !== "" && none ? "ib-count ib-none" : "ib-count"}>
        {counted(find)}
      </span>
      <button
        type="button"
        class="ib-button ib-icon"
        aria-label="The one before"
        title="The one before (Shift+Enter)"
        disabled={none}
        onClick={() => find.go(-1)}
      >
        ↑
      </button>
      <button
        type="button"
        class="ib-button ib-icon"
        aria-label="The next"
        title="The next (Enter)"
        disabled={none}
        onClick={() => find.go(1)}
      >
        ↓
      </button>
    </span>
  );
}

function counted({ query, lines, at }: Find): string {
  if (query === "") {
    return "";
  }
  return at === null ? `${lines.length || "none"}` : `${at + 1} of ${lines.length}`;
}
