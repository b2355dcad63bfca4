import { useEffect, useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { binderLink, formLink } from "../core/links.ts";
import { terminal } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import { sentence } from "../service/errors.ts";
import { Confirm, CopyButton, say } from "../ui/index.ts";
import { absolute, buildAddress, type Page } from "./page.ts";
import { QUESTIONS, type Question } from "./questions.ts";

interface Props {
  page: Page;
  service: Service;
  build: Build;
  /** The build as it is now, or the one that was begun. */
  onChange: (build: Build) => void;
  onGone: (id: string) => void;
  /** Whether to show the way to the build's own page. */
  linked?: boolean;
  /** The element that says which build is meant, where there are several. */
  describedBy?: string;
}

/** All that can be done with a build. */
export function Actions(props: Props) {
  const { page, service, build, linked = false, describedBy } = props;
  const { busy, error, asked, acted, doing, ask } = useDoing(props);
  const root = useFocusKept(acted, `${build.phase} ${busy}`);
  const { admin } = page.user;
  // who joined a build may look at it; it is for who asked first to end it
  const own = build.owner === page.user.name || admin;
  const over = terminal(build.phase);
  const built = build.phase === "built";
  // it keeps the focus while it works, unlike a disabled one
  const plain = { type: "button", "aria-disabled": busy, "aria-describedby": describedBy } as const;

  return (
    <div class="ib-actions" ref={root} tabIndex={-1}>
      {built && (
        <a
          class="ib-button ib-primary"
          aria-describedby={describedBy}
          href={formLink(page.hub, { build: build.pinned })}
        >
          Start a server
        </a>
      )}
      {linked && (
        <a class="ib-button" aria-describedby={describedBy} href={buildAddress(page, build.id)}>
          {over ? "Log" : "Watch"}
        </a>
      )}
      {!over && own && (
        <button {...plain} class="ib-button" onClick={() => ask("cancel")}>
          Cancel
        </button>
      )}
      {over && own && (
        <button
          {...plain}
          class={linked || built ? "ib-button" : "ib-button ib-primary"}
          onClick={() => doing(() => service.rebuild(build.id), "The build begins.")}
        >
          {built ? "Rebuild" : "Build again"}
        </button>
      )}
      <CopyButton
        label="Copy link"
        text={() => binderLink(absolute(page.service), build.provider, build.spec)}
      />
      {built && admin && (
        <button
          {...plain}
          class="ib-button"
          onClick={() => ask(build.published ? "unpublish" : "publish")}
        >
          {build.published ? "Unpublish" : "Publish"}
        </button>
      )}
      {over && own && (
        <button {...plain} class="ib-button" onClick={() => ask("delete")}>
          Delete
        </button>
      )}
      {error !== null && (
        <p class="ib-error" role="alert">
          {error}
        </p>
      )}
      {asked}
    </div>
  );
}

/** What is being done: one thing at a time, some of it after a question. */
function useDoing({ service, build, onChange, onGone }: Props) {
  const [asked, setAsked] = useState<Question>("cancel");
  const [open, setOpen] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  // of two clicks in a row both see the same state
  const under = useRef(false);
  const acted = useRef(false);

  const doing = async (action: () => Promise<Build | null>, done: string): Promise<void> => {
    if (under.current) {
      return;
    }
    under.current = true;
    acted.current = true;
    setBusy(true);
    setError(null);
    try {
      const told = await action();
      say(done);
      told === null ? onGone(build.id) : onChange(told);
    } catch (problem) {
      setError(sentence(problem));
    } finally {
      under.current = false;
      setBusy(false);
    }
  };
  const show = (on: boolean) => async () => {
    await service.publish(build.id, on);
    return { ...build, published: on };
  };
  const answers: Record<Question, () => Promise<Build | null>> = {
    cancel: () => service.cancel(build.id),
    delete: async () => {
      await service.forget(build.id);
      return null;
    },
    publish: show(true),
    unpublish: show(false),
  };
  const { title, text, confirm, danger, done } = QUESTIONS[asked];
  return {
    busy,
    error,
    acted,
    doing,
    ask: (question: Question): void => {
      if (!under.current) {
        setAsked(question);
        setOpen(true);
      }
    },
    asked: (
      <Confirm
        // what became of the build meanwhile may have answered it
        open={open && (asked !== "cancel" || !terminal(build.phase))}
        title={title}
        confirm={confirm}
        danger={danger}
        onClose={() => setOpen(false)}
        onConfirm={() => {
          setOpen(false);
          void doing(answers[asked], done);
        }}
      >
        <p>{text}</p>
      </Confirm>
    ),
  };
}

/** Keeps the keyboard's place where the button that was pressed is gone by now. */
function useFocusKept(acted: { current: boolean }, state: string) {
  const root = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when buttons come and go
  useEffect(() => {
    if (acted.current && document.activeElement === document.body) {
      acted.current = false;
      root.current?.focus({ preventScroll: true });
    }
  }, [state]);
  return root;
}
