import { useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { binderLink, formLink } from "../core/links.ts";
import { terminal } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import { Confirm, CopyButton } from "../ui/index.ts";
import type { Page } from "./page.ts";
import { sentence } from "./use-builds.ts";

interface Props {
  page: Page;
  service: Service;
  build: Build;
  /** The build as it is now, or the one that was begun. */
  onChange: (build: Build) => void;
  onGone: (id: string) => void;
  /** Whether to show the way to the build's own page. */
  linked?: boolean;
}

type Question = "cancel" | "delete" | "publish";

/** All that can be done with a build. */
export function Actions({ page, service, build, onChange, onGone, linked = false }: Props) {
  const [asked, setAsked] = useState<Question | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const { admin } = page.user;
  const own = build.mine || admin;
  const over = terminal(build.phase);

  const doing = async (action: () => Promise<Build | null>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const told = await action();
      told === null ? onGone(build.id) : onChange(told);
    } catch (problem) {
      setError(sentence(problem));
    } finally {
      setBusy(false);
    }
  };
  const answer: Record<Question, () => Promise<Build | null>> = {
    cancel: () => service.cancel(build.id),
    delete: async () => {
      await service.forget(build.id);
      return null;
    },
    publish: async () => {
      await service.publish(build.id, !build.published);
      return { ...build, published: !build.published };
    },
  };

  return (
    <div class="ib-actions">
      {build.phase === "built" && (
        <a class="ib-button ib-primary" href={formLink(page.hub, { build: build.pinned })}>
          Start a server
        </a>
      )}
      {linked && (
        <a class="ib-button" href={`${page.service}builds/${encodeURIComponent(build.id)}`}>
          {over ? "Log" : "Watch"}
        </a>
      )}
      {!over && own && (
        <button type="button" class="ib-button" disabled={busy} onClick={() => setAsked("cancel")}>
          Cancel
        </button>
      )}
      {over && own && (
        <button
          type="button"
          class="ib-button"
          disabled={busy}
          onClick={() => doing(() => service.rebuild(build.id))}
        >
          {build.phase === "built" ? "Rebuild" : "Build again"}
        </button>
      )}
      <CopyButton
        label="Copy link"
        text={() => binderLink(absolute(page.service), build.provider, build.spec)}
      />
      {build.phase === "built" && admin && (
        <button type="button" class="ib-button" disabled={busy} onClick={() => setAsked("publish")}>
          {build.published ? "Unpublish" : "Publish"}
        </button>
      )}
      {over && own && (
        <button type="button" class="ib-button" disabled={busy} onClick={() => setAsked("delete")}>
          Delete
        </button>
      )}
      {error !== null && (
        <p class="ib-error" role="alert">
          {error}
        </p>
      )}
      <Confirm
        open={asked !== null}
        {...(asked === null ? WORDS.cancel : words(asked, build))}
        onClose={() => setAsked(null)}
        onConfirm={() => {
          const question = asked;
          setAsked(null);
          if (question !== null) {
            doing(answer[question]);
          }
        }}
      >
        <p>{asked === null ? "" : words(asked, build).text}</p>
      </Confirm>
    </div>
  );
}

interface Words {
  title: string;
  text: string;
  confirm: string;
  danger?: boolean;
}

const WORDS: Record<"cancel" | "delete" | "publish" | "unpublish", Words> = {
  cancel: {
    title: "Cancel this build?",
    text: "It ends for everybody who waits for it.",
    confirm: "Cancel the build",
    danger: true,
  },
  delete: {
    title: "Delete this build from your history?",
    text: "Its log is lost. The image stays in the registry, and servers that run go on.",
    confirm: "Delete",
    danger: true,
  },
  publish: {
    title: "Show this image to everybody?",
    text: "All users of this hub will see it in their lists, with its log, and can start it.",
    confirm: "Publish",
  },
  unpublish: {
    title: "Take this image out of everybody's list?",
    text: "Those who asked for it themselves still have it.",
    confirm: "Unpublish",
  },
};

function words(asked: Question, build: Build): Words {
  return WORDS[asked === "publish" && build.published ? "unpublish" : asked];
}

/** An address that others can open, too. */
export function absolute(address: string): string {
  return new URL(address, location.href).href;
}
