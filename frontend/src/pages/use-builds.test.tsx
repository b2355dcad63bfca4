import { cleanup, renderHook, waitFor } from "@testing-library/preact";
import { afterEach, expect, test } from "vitest";
import type { Build } from "../core/api.ts";
import type { Listing } from "../service/client.ts";
import { Away } from "../service/errors.ts";
import { aBuild, aService } from "./testing.ts";
import { useBuilds } from "./use-builds.ts";

afterEach(cleanup);

/** `count` builds, each older than the one before. */
function builds(count: number, from = 0): Build[] {
  return Array.from({ length: count }, (_, index) => {
    const minute = 100_000 - from - index;
    return aBuild({ id: `b${from + index}`, created: new Date(minute * 60_000).toISOString() });
  });
}

const ids = (listing: { builds: readonly Build[] | null }) =>
  listing.builds?.map((build) => build.id);

test("what begins while the list is on its way is not lost", async () => {
  let answer = (_: Build[]): void => undefined;
  const late = new Promise<Build[]>((resolve) => {
    answer = resolve;
  });
  const { service, change } = aService([], { builds: () => late } as never);
  const { result } = renderHook(() => useBuilds(service));
  const begun = aBuild({ id: "begun", phase: "waiting", created: "2026-02-01T00:00:00+00:00" });
  change({ type: "build", build: begun });
  await new Promise((resolve) => setTimeout(resolve));
  expect(result.current.builds).toBeNull();
  answer([aBuild()]);
  await waitFor(() => expect(ids(result.current)).toEqual(["begun", "b1"]));
});

test("older ones follow those that were listed, whatever old ones changed meanwhile", async () => {
  const asked: Listing[] = [];
  const { service, change } = aService([], {
    builds: async (listing: Listing) => {
      asked.push(listing);
      return listing.before === undefined ? builds(100) : builds(3, 100);
    },
  } as never);
  const { result } = renderHook(() => useBuilds(service));
  await waitFor(() => expect(result.current.builds).toHaveLength(100));
  // an admin publishes one of last year
  const [ancient] = builds(1, 5000);
  change({ type: "build", build: { ...(ancient as Build), published: true } });
  await waitFor(() => expect(result.current.builds).toHaveLength(101));
  result.current.showMore();
  result.current.showMore();
  await waitFor(() => expect(result.current.builds).toHaveLength(104));
  expect(asked[1]?.before).toBe(builds(1, 99)[0]?.created);
  expect(result.current.more).toBe(false);
});

test("what went while nobody told of it is not shown any more", async () => {
  let stored = builds(2);
  let streams = 0;
  const { service } = aService([], {
    builds: async () => stored,
    watchChanges: async (signal: AbortSignal) => {
      streams += 1;
      const first = streams === 1;
      return (async function* () {
        yield { type: "listening" };
        if (first) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          stored = builds(1);
          throw new Away();
        }
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      })();
    },
  } as never);
  const { result } = renderHook(() => useBuilds(service));
  await waitFor(() => expect(ids(result.current)).toEqual(["b0", "b1"]));
  await waitFor(() => expect(ids(result.current)).toEqual(["b0"]), { timeout: 3000 });
  // so short a break is not worth a word
  expect(result.current.away).toBe(false);
});
