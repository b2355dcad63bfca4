import { useMemo } from "preact/hooks";
import type { Refs } from "../core/api.ts";
import { Combobox } from "../ui/combobox.tsx";
import { HEAD } from "./wish.ts";

interface Props {
  /** What is there, or was chosen. */
  value: string;
  refs: Refs | null;
  onInput: (ref: string) => void;
  error: string | null;
  disabled: boolean;
}

/** The branch, tag or commit; the host's own ones are offered. */
export function Ref({ value, refs, onInput, error, disabled }: Props) {
  const options = useMemo(
    () =>
      (refs?.refs ?? []).map(({ name, kind }) => ({
        value: name,
        detail: name === refs?.default ? "default branch" : kind,
      })),
    [refs],
  );
  return (
    <Combobox
      label="Branch, tag or commit"
      class="ib-ref"
      value={value === HEAD ? "" : value}
      placeholder={refs?.default ? `${refs.default} (default)` : "default branch"}
      options={options}
      onInput={onInput}
      onPick={(option) => onInput(option.value)}
      hint={refs?.more ? "The host has more than these: any can be written." : null}
      error={error}
      disabled={disabled}
    />
  );
}
