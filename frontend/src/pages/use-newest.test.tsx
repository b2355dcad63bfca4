import { cleanup, renderHook, waitFor } from "@testing-library/preact";
import { afterEach, expect, test } from "vitest";
import type { Build } from "../core/api.ts";
import { aBuild, aService } from "./testing.ts";
import { useNewest } from "./use-newest.ts";

afterEach(cleanup);

function moving() {
  const asked: string[] = [];
  let answer = (): void => undefined;
  const { service } = aService([], {
    resolve: async (text: string) => {
      asked.push(text);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return { commit: "f".repeat(40) };
    },
  } as never);
  return { service, asked, answer: () => answer() };
}

test("a host is asked once of a branch, however often the list changes meanwhile", async () => {
  const { service, asked, answer } = moving();
  const { rerender, result } = renderHook(
    ({ builds }: { builds: Build[] }) => useNewest(service, builds),
    { initialProps: { builds: [aBuild()] } },
  );
  rerender({ builds: [aBuild()] });
  rerender({ builds: [aBuild()] });
  answer();
  await waitFor(() => expect([...result.current]).toEqual(["b1"]));
  rerender({ builds: [aBuild()] });
  expect(asked).toEqual(["build:gh/org/repo/main"]);
});

test("a build whose newest commit is being built has nothing to be told", async () => {
  const { service, answer } = moving();
  const { rerender, result } = renderHook(
    ({ builds }: { builds: Build[] }) => useNewest(service, builds),
    { initialProps: { builds: [aBuild()] } },
  );
  answer();
  await waitFor(() => expect(result.current.size).toBe(1));
  rerender({ builds: [aBuild({ id: "next", phase: "waiting" }), aBuild()] });
  expect(result.current.size).toBe(0);
});
