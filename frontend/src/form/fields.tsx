import { Ref } from "./ref.tsx";
import { Repository } from "./repository.tsx";
import type { State } from "./state.ts";

/** Repository, ref, and what is wrong with them. */
export function Fields({ state }: { state: State }) {
  const { editing, outlook, repository, refs, going } = state;
  const { draft } = editing;
  const trouble = going.step.name === "editing" && going.about === editing.asked && going.trouble;
  const error = state.isImage ? null : (outlook.error ?? (trouble || null));
  const ofRef = error?.reason === "ref-not-found" && draft.ref !== null;
  const hasRef = repository !== null && (refs !== null || draft.ref !== null);
  return (
    <div class={`ib-fields ${hasRef ? "ib-two" : ""}`}>
      <Repository
        value={draft.text}
        onInput={editing.setText}
        hints={state.hints}
        busy={!outlook.settled}
        error={ofRef ? null : (error?.message ?? null)}
        shared={state.place?.shared ?? false}
        inputRef={state.input}
      />
      {hasRef && (
        <Ref
          value={draft.ref ?? repository.ref}
          refs={refs}
          // another repository is being written: this one is not its ref
          disabled={!outlook.settled && draft.ref === null}
          onInput={(ref) => editing.setRef(ref, repository.repository)}
          error={ofRef ? error.message : null}
        />
      )}
    </div>
  );
}
