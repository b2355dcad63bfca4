import { useEffect, useRef, useState } from "preact/hooks";
import type { Build } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import { movable } from "./listing.ts";

/** Repositories that are asked after; hosts count questions. */
const ASKED_AFTER = 12;

/** Ids of those builds whose branch has moved since.  Each is asked after once, one by one. */
export function useNewest(service: Service, builds: readonly Build[] | null): ReadonlySet<string> {
  const [outdated, setOutdated] = useState<ReadonlySet<string>>(new Set());
  const asked = useRef(new Set<string>());
  useEffect(() => {
    const ended = new AbortController();
    const ask = async (): Promise<void> => {
      for (const build of movable(builds ?? []).slice(0, ASKED_AFTER)) {
        if (asked.current.has(build.id)) {
          continue;
        }
        try {
          const { commit } = await service.resolve(
            `build:${build.provider}/${build.spec}`,
            ended.signal,
          );
          if (ended.signal.aborted) {
            return;
          }
          asked.current.add(build.id);
          if (commit !== build.commit) {
            setOutdated((known) => new Set([...known, build.id]));
          }
        } catch {
          // a badge is not worth a message: the branch may be gone, or its host away
          if (ended.signal.aborted) {
            return;
          }
          asked.current.add(build.id);
        }
      }
    };
    ask();
    return () => ended.abort();
  }, [service, builds]);
  return outdated;
}
