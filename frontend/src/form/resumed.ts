import { useEffect, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import { terminal } from "../core/story.ts";
import type { Service } from "../service/client.ts";
import type { Place } from "./adapter.ts";
import type { Controls } from "./controls.ts";
import type { PageData } from "./data.ts";
import type { Going } from "./going.ts";
import { keep, recall } from "./visit.ts";
import type { Editing } from "./wish.ts";

/** As many of the newest builds are looked through for one that is under way. */
const NEWEST = 20;

interface Props {
  service: Service;
  data: PageData;
  controls: Controls;
  place: Place | null;
  editing: Editing;
  going: Going;
  start: boolean;
  setStart: (start: boolean) => void;
}

/**
 * Find again what was under way: after a reload at once, after a new visit as an offer.
 *
 * @returns a build of the viewer's that is under way and not on the page; null: there is none
 */
export function useResumed(props: Props): Build | null {
  useReload(props);
  const { service, place, going } = props;
  const [found, setFound] = useState<Build | null>(null);
  const idle = place !== null && going.step.name === "editing";
  useEffect(() => {
    if (!idle) {
      setFound(null);
      return;
    }
    const ended = new AbortController();
    service.builds({ limit: NEWEST, own: true }, ended.signal).then(
      (builds) =>
        ended.signal.aborted ||
        setFound(builds.find((build) => build.mine && !terminal(build.phase)) ?? null),
      // an offer, no more
      () => undefined,
    );
    return () => ended.abort();
  }, [service, idle]);
  return found;
}

function useReload({ data, controls, place, editing, going, start, setStart }: Props): void {
  const { replace, draft } = editing;
  const { resume, step } = going;
  const [recalled, setRecalled] = useState(() => recall(data.user, data.server));
  useEffect(() => {
    if (recalled === null) {
      return;
    }
    setRecalled(null);
    const { text, path, content } = recalled;
    setStart(recalled.start);
    replace({ text, ref: null, path, content, linked: false, given: true });
    void controls.choose(recalled.profile).then(async (chosen) => {
      if (chosen === null || !(await resume(recalled.build, text))) {
        keep(null);
      }
    });
  }, [recalled, controls, replace, resume, setStart]);
  const profile = place?.profile;
  useEffect(() => {
    if (step.name === "building" && profile !== undefined) {
      const { path, content } = draft;
      const { user, server } = data;
      keep({ build: step.id, text: step.text, start, path, content, profile, user, server });
    }
  }, [step, start, draft, profile, data]);
}
