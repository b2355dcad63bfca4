import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { movable } from "./listing.ts";

/** Repositories that are asked after; hosts count questions. */
const ASKED_AFTER = 12;

/**
 * Ids of those builds whose branch has moved since.
 *
 * Each is asked after once, one by one, however often the list changes meanwhile.
 *
 * @param builds those of the viewer
 */
export function useNewest(service: Service, builds: readonly Build[]): ReadonlySet<string> {
  const [moved, setMoved] = useState<ReadonlySet<string>>(new Set());
  const asked = useRef(new Set<string>());
  const asking = useRef(false);
  const latest = useRef(builds);
  latest.current = builds;
  const ended = useRef(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: builds that came are the reason
  useEffect(() => {
    const next = (): Build | undefined =>
      movable(latest.current)
        .slice(0, ASKED_AFTER)
        .find((build) => !asked.current.has(build.id));
    const ask = async (): Promise<void> => {
      for (let build = next(); build !== undefined && !ended.current; build = next()) {
        asked.current.add(build.id);
        const { id, commit } = build;
        try {
          const told = await service.resolve(textOf(build));
          if (told.commit !== commit && !ended.current) {
            setMoved((known) => new Set([...known, id]));
          }
        } catch {
          // a badge is not worth a message: the branch may be gone, or its host away
        }
      }
      asking.current = false;
    };
    if (!asking.current) {
      asking.current = true;
      void ask();
    }
  }, [service, builds]);
  useEffect(
    () => () => {
      ended.current = true;
    },
    [],
  );

  // one that was built anew has its successor in the list
  return useMemo(
    () => new Set(movable(builds).flatMap(({ id }) => (moved.has(id) ? [id] : []))),
    [builds, moved],
  );
}

/** What asks for the newest commit of a build's branch. */
export function textOf({ provider, spec }: Build): string {
  return `build:${provider}/${spec}`;
}
