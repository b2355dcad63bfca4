import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  open: boolean;
  title: string;
  children?: ComponentChildren;
  /** What the button does that goes ahead: a verb. */
  confirm: string;
  /** Whether what it does cannot be undone. */
  danger?: boolean;
  onConfirm: () => void;
  /** Closed without going ahead: the other button, Escape. */
  onClose: () => void;
}

/** A question in the browser's own modal dialog, which keeps the focus and gives it back. */
export function Confirm(props: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const { open } = props;
  useEffect(() => {
    const element = dialog.current;
    if (element !== null && open !== element.open) {
      open ? element.showModal() : element.close();
    }
  }, [open]);
  // the browser closes it at Escape by itself: `open` has to follow
  const cancelled = (event: Event): void => {
    event.preventDefault();
    props.onClose();
  };
  return (
    <dialog ref={dialog} class="ib-dialog" aria-labelledby={title} onCancel={cancelled}>
      <h2 id={title}>{props.title}</h2>
      {props.children}
      <div class="ib-actions">
        <button type="button" class="ib-button" onClick={props.onClose}>
          Back
        </button>
        <button
          type="button"
          class={`ib-button ${props.danger ? "ib-danger" : "ib-primary"}`}
          onClick={props.onConfirm}
        >
          {props.confirm}
        </button>
      </div>
    </dialog>
  );
}
