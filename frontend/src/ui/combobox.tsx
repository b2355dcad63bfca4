import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { type Choices, useChoices } from "./choices.ts";

/** Something to choose. */
export interface Option {
  /** What the field says when it was chosen. */
  value: string;
  /** What the list says; the value where it is absent. */
  label?: string;
  /** Smaller, behind the label. */
  detail?: string;
}

interface Props {
  label: string;
  value: string;
  onInput: (value: string) => void;
  options: readonly Option[];
  onPick: (option: Option) => void;
  /** Enter while no option is marked. */
  onEnter?: (() => void) | undefined;
  /** False: the options are those that fit already. */
  filter?: boolean;
  placeholder?: string | undefined;
  hint?: ComponentChildren;
  error?: string | null | undefined;
  /** Whether what was typed is being looked up. */
  busy?: boolean;
  disabled?: boolean;
  class?: string;
  inputRef?: RefObject<HTMLInputElement>;
}

/**
 * A text field that offers what one may mean: any text is fine.
 *
 * The keys are those of WAI-ARIA's "editable combobox with list autocomplete": down and up move
 * in the list, Enter takes what is marked, Escape closes it.  It has no `name`: what is submitted
 * is its owner's business.
 */
export function Combobox(props: Props) {
  const { label, value, hint, error } = props;
  const id = useId();
  const own = useRef<HTMLInputElement>(null);
  const input = props.inputRef ?? own;
  const choices = useChoices(props);
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean);
  return (
    <div class={`ib-field ib-combobox ${props.class ?? ""}`}>
      <label for={id}>{label}</label>
      <div class="ib-combobox-box">
        <input
          ref={input}
          id={id}
          type="text"
          class="ib-input"
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={choices.open}
          aria-controls={`${id}-list`}
          aria-activedescendant={choices.marked === null ? undefined : `${id}-${choices.marked}`}
          aria-describedby={described.join(" ") || undefined}
          aria-invalid={error ? true : undefined}
          aria-busy={props.busy ? true : undefined}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          disabled={props.disabled ?? false}
          placeholder={props.placeholder}
          value={value}
          onInput={(event) => choices.typed(event.currentTarget.value)}
          onKeyDown={choices.pressed}
          onClick={choices.show}
          onBlur={choices.hide}
        />
        {props.options.length > 0 && !props.disabled && (
          <button
            type="button"
            class="ib-combobox-arrow"
            tabIndex={-1}
            aria-label={`Suggestions: ${label}`}
            aria-expanded={choices.open}
            aria-controls={`${id}-list`}
            // the focus stays where one types
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => {
              choices.open ? choices.hide() : choices.show();
              input.current?.focus();
            }}
          />
        )}
        <List id={id} label={label} choices={choices} />
      </div>
      {hint && (
        <div id={`${id}-hint`} class="ib-hint">
          {hint}
        </div>
      )}
      {error && (
        <div id={`${id}-error`} class="ib-error">
          {error}
        </div>
      )}
    </div>
  );
}

function List({ id, label, choices }: { id: string; label: string; choices: Choices }) {
  const { open, marked, shown, more } = choices;
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (marked !== null) {
      list.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
    }
  }, [marked]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a click must not take the field's focus
    <div
      class="ib-combobox-popup"
      hidden={!open}
      ref={list}
      onPointerDown={(event) => event.preventDefault()}
      onMouseDown={(event) => event.preventDefault()}
    >
      <div role="listbox" id={`${id}-list`} aria-label={`Suggestions: ${label}`}>
        {open &&
          shown.map((option, index) => (
            // biome-ignore lint/a11y: the field has the focus and the keys, as the pattern says
            <div
              key={`${option.value} ${option.label ?? ""}`}
              role="option"
              id={`${id}-${index}`}
              class="ib-option"
              aria-selected={index === marked}
              onClick={() => choices.pick(option)}
            >
              <span>{option.label ?? option.value}</span>
              {option.detail && <small>{option.detail}</small>}
            </div>
          ))}
      </div>
      {more > 0 && <p class="ib-hint">{more} more: type to find them.</p>}
    </div>
  );
}
