import type { RefObject } from "preact";
import { useMemo } from "preact/hooks";
import { ago } from "../core/when.ts";
import { Combobox } from "../ui/combobox.tsx";
import type { Hints } from "./asking.ts";

interface Props {
  value: string;
  onInput: (text: string) => void;
  hints: Hints;
  busy: boolean;
  error: string | null;
  /** Whether the field also takes the name of an image. */
  shared: boolean;
  inputRef: RefObject<HTMLInputElement>;
}

/** Where the repository is pasted, or taken from those that one had before. */
export function Repository(props: Props) {
  const { value, hints, shared, onInput } = props;
  const options = useMemo(() => {
    const now = new Date();
    return hints.recent.map((recent) => ({
      value: recent.text,
      detail: `used ${ago(new Date(recent.used), now)}`,
    }));
  }, [hints.recent]);
  const { recent } = hints;
  return (
    <Combobox
      label={shared ? "Repository or image" : "Repository"}
      class="ib-repository"
      value={value}
      onInput={onInput}
      onPick={(option) => onInput(option.value)}
      options={options}
      // what was pasted whole is no question to the list
      filter={!recent.some(({ text }) => text === value)}
      placeholder="https://github.com/org/repo"
      hint={value === "" ? <Examples providers={hints.providers} /> : null}
      error={props.error}
      busy={props.busy}
      inputRef={props.inputRef}
    />
  );
}

/** What kinds of repositories there are; the titles show how they look. */
function Examples({ providers }: { providers: Hints["providers"] }) {
  if (providers.length === 0) {
    return <>Paste the address of a repository.</>;
  }
  return (
    <>
      Paste an address:{" "}
      {providers.map((provider, index) => (
        <span key={provider.id}>
          {index > 0 && ", "}
          <span class="ib-kind" title={provider.examples.join("\n")}>
            {provider.name}
          </span>
        </span>
      ))}
      .
    </>
  );
}
