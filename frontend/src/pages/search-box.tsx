interface Props {
  /** What can be searched for. */
  label: string;
  value: string;
  onInput: (text: string) => void;
}

/** Narrows a list while one types. */
export function SearchBox({ label, value, onInput }: Props) {
  return (
    <input
      type="search"
      class="ib-input ib-search"
      aria-label={label}
      placeholder="Search"
      autocomplete="off"
      spellcheck={false}
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}
