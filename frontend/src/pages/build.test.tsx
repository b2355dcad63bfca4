import { cleanup, render, screen } from "@testing-library/preact";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { BuildEvent } from "../core/api.ts";
import { ServiceError } from "../service/errors.ts";
import { BuildPage } from "./build.tsx";
import { aBuild, aPage, aService } from "./testing.ts";

beforeAll(() => {
  // jsdom lays nothing out
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
});
afterEach(cleanup);

const PAGE = aPage({ page: "build", build: "b1" });
const LINE: BuildEvent = {
  type: "log",
  text: "ERROR: No matching distribution",
  phase: "building",
};

function telling(...events: BuildEvent[]) {
  return async () =>
    (async function* () {
      for (const [index, event] of events.entries()) {
        yield { id: event.type === "log" ? `u:${index}` : null, event };
      }
    })();
}

test("a build that failed says why, and may be built again", async () => {
  const failed = aBuild({ phase: "failed", message: "A step failed.", reason: "build-failed" });
  const { service } = aService([], {
    build: async () => failed,
    watch: telling(LINE, {
      type: "phase",
      phase: "failed",
      message: "A step failed.",
      reason: "build-failed",
      image: null,
      digest: null,
    }),
  } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  expect(
    await screen.findByRole("heading", { level: 1, name: "github.com/org/repo" }),
  ).toBeTruthy();
  expect((await screen.findAllByText(/A step failed\./)).length).toBeGreaterThan(0);
  expect(screen.getByText(failed.commit)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Build again" })).toBeTruthy();
});

test("one that is not there is said to be so, with a way on", async () => {
  const gone = () =>
    Promise.reject(new ServiceError("build-not-found", "There is no such build.", 404));
  const { service } = aService([], { build: gone, watch: gone } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  expect(await screen.findByRole("heading", { name: "This build is not here" })).toBeTruthy();
  expect(screen.getByRole("link", { name: "My images" })).toBeTruthy();
});
