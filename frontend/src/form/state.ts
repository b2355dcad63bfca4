import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Build, Outlook, Provider, Refs } from "../core/api.ts";
import { want } from "../core/wanted.ts";
import type { Service } from "../service/client.ts";
import { type Following, useBuild } from "../ui/use-build.ts";
import { type Asked, useOutlook } from "../ui/use-outlook.ts";
import { isAddress, type Place } from "./adapter.ts";
import { type Hints, useHints, useRefs } from "./asking.ts";
import type { Controls } from "./controls.ts";
import type { PageData } from "./data.ts";
import { type Going, useGoing } from "./going.ts";
import { type Content, nextOf } from "./opening.ts";
import { useResumed } from "./resumed.ts";
import { keep } from "./visit.ts";
import { type Draft, type Editing, HEAD, submitted, useDraft } from "./wish.ts";
import { buttonText, type Situation } from "./words.ts";

export interface Props {
  service: Service;
  data: PageData;
  controls: Controls;
  /** What the fields begin with. */
  initial: Draft;
  /** Who sees the page. */
  viewer: string;
}

/** All that the panel shows, and what can be done in it. */
export interface State extends Situation {
  place: Place | null;
  editing: Editing;
  outlook: Asked;
  hints: Hints;
  refs: Refs | null;
  /** What the repository of the fields last meant, though its ref may be wrong by now. */
  repository: Outlook | null;
  going: Going;
  following: Following;
  away: boolean;
  /** Whether the text is the name of an image, which is the hub's business. */
  isImage: boolean;
  /** Whether the repository has branches and tags. */
  hasRefs: boolean;
  canFetch: boolean;
  /** Another build of the viewer's that is under way. */
  underWay: Build | null;
  setStart: (start: boolean) => void;
  input: RefObject<HTMLInputElement>;
}

/** The panel's state, tied to the hub's form. */
export function usePanel({ service, data, controls, initial, viewer }: Props): State {
  const place = usePlace(controls);
  const editing = useDraft(initial);
  const { draft, asked } = editing;
  const outlook = useOutlook(service, place === null ? "" : asked);
  const { known, settled, error } = outlook;
  const hints = useHints(service, place !== null);
  const repository = useLast(outlook, draft.text);
  const hasRefs = providerOf(repository, hints.providers)?.refs ?? false;
  const refs = useRefs(service, hasRefs && repository ? repository.repository : null);
  const going = useGoing(service);
  const following = useBuild(service, idOf(going));
  const [start, setStart] = useState(true);
  const [pressed, setPressed] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const underWay = useResumed({ service, data, controls, place, editing, going, start, setStart });
  const canFetch = Boolean(data.content) && hasRefs && repository?.provider !== "hg";
  const isImage = place?.shared === true && error?.reason === "spec-invalid" && !isAddress(asked);
  const state: State = {
    step: going.step,
    story: following.story,
    known,
    settled,
    refused: settled && error !== null && !isImage,
    start,
    pressed,
    owner: data.user === viewer ? null : data.user,
    place,
    editing,
    outlook,
    hints,
    refs,
    repository,
    going,
    following,
    away: outlook.away || going.away,
    isImage,
    hasRefs,
    canFetch,
    underWay,
    setStart,
    input,
  };
  useStart(state, data, controls, setPressed);
  useSync(state, controls);
  return state;
}

/** What the hub's button does. */
function useStart(
  state: State,
  data: PageData,
  controls: Controls,
  setPressed: (pressed: boolean) => void,
): void {
  const { step, story, known, going, editing, outlook, place } = state;
  const { asked } = editing;
  const submit = (text: string, commit: string): void => {
    const meant = step.name === "building" ? state.following.build : known;
    controls.write(meant ? submitted(text, meant) : text, commit);
    const content = contentOf(state);
    const next = nextOf(data, editing.draft.path, content);
    controls.next(next);
    want(content === null ? null : next, () => sessionStorage);
    if (!controls.complete()) {
      // the page says what is missing; the next click tries again
      state.setStart(false);
      return;
    }
    keep(null);
    going.starting(text);
    controls.submit();
  };
  controls.onStart = () => {
    if (state.away || state.isImage) {
      return false;
    }
    if (step.name === "building" && story?.over) {
      // a failure is mended by another commit: the ref is looked up again
      story.phase === "built" ? submit(step.text, step.commit) : void going.begin(step.text, null);
    } else if (step.name === "building") {
      state.setStart(true);
    } else if (step.name === "editing") {
      if (asked === "" || outlook.error) {
        state.input.current?.focus();
      }
      if (outlook.error) {
        outlook.again();
      }
      setPressed(asked !== "");
    }
    return true;
  };
  // what was clicked while the service was being asked is done when it has answered
  useEffect(() => {
    if (!state.pressed || step.name !== "editing" || !outlook.settled) {
      return;
    }
    setPressed(false);
    if (known?.cached) {
      submit(asked, known.commit);
    } else if (known && !outlook.error && controls.complete()) {
      void going.begin(asked, known.commit);
    }
  });
  useEffect(() => {
    if (step.name === "building" && story?.phase === "built" && state.start && place !== null) {
      submit(step.text, step.commit);
    }
  });
}

/** Keep the hub's form as the panel has it: text, commit, button, and what is in sight. */
function useSync(state: State, controls: Controls): void {
  const { known, settled, step, place, away, isImage, editing, outlook } = state;
  const { asked, spellOut, draft } = editing;
  const { hasRefs } = state;
  const editable = step.name === "editing";
  // biome-ignore lint/correctness/useExhaustiveDependencies: another place has another text field
  useLayoutEffect(() => {
    if (editable && !away) {
      const sure = settled && known !== null && outlook.error === null;
      controls.write(sure ? submitted(asked, known) : asked, sure ? known.commit : null);
    }
  }, [controls, place, asked, settled, known, editable, away, outlook.error]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another place has another text field
  useLayoutEffect(() => controls.standBack(away), [controls, away, place]);
  useLayoutEffect(() => {
    // a dataset's version is no ref that could stand behind its address
    if (known !== null && settled && draft.given && hasRefs) {
      spellOut(known);
    }
  }, [known, settled, draft.given, hasRefs, spellOut]);
  const { text, waiting } = buttonText(state);
  useLayoutEffect(() => {
    if (place !== null) {
      away || isImage ? controls.label(null) : controls.label(text, waiting);
    }
  });
}

function usePlace(controls: Controls): Place | null {
  const [place, setPlace] = useState(controls.active);
  useEffect(() => {
    setPlace(controls.active);
    return controls.follow(setPlace);
  }, [controls]);
  return place;
}

/** The last answer for a repository, while its ref is being written, or wrong. */
function useLast({ known, settled }: Asked, text: string): Outlook | null {
  const last = useRef<{ known: Outlook; text: string } | null>(null);
  if (known !== null && settled) {
    last.current = { known, text };
  }
  const { current } = last;
  const same = current !== null && [current.text, current.known.repository].includes(text);
  return same ? current.known : known;
}

function idOf({ step }: Going): string | null {
  return step.name === "building" || step.name === "starting" ? step.id : null;
}

function providerOf(known: Outlook | null, providers: readonly Provider[]): Provider | undefined {
  return known === null ? undefined : providers.find(({ id }) => id === known.provider);
}

/** What goes into the home; null: nothing. */
function contentOf({ editing, canFetch, repository, refs }: State): Content | null {
  if (!editing.draft.content || !canFetch || repository === null) {
    return null;
  }
  const { ref } = repository;
  const isBranch = refs?.refs.some(({ name, kind }) => kind === "branch" && name === ref);
  const branch = ref === HEAD ? (refs?.default ?? null) : isBranch ? ref : null;
  return { repository: repository.repository, branch };
}
