import { cleanup, render, screen } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { BuildEvent } from "../core/api.ts";
import { Away, ServiceError } from "../service/errors.ts";
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

test("while the service is away from the beginning it is said", async () => {
  const { service } = aService([], { build: () => Promise.reject(new Away()) } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  expect(await screen.findByText(/does not answer just now/)).toBeTruthy();
});

test("one that is deleted while it is shown is said to be so", async () => {
  const { service } = aService([], {
    build: async () => aBuild({ phase: "building", finished: null }),
    watch: () => Promise.reject(new ServiceError("build-not-found", "There is none.", 404)),
  } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  expect(await screen.findByText("There is none.")).toBeTruthy();
});

test("the log of a build that goes on is saved as far as it is, without waiting for its end", async () => {
  const user = userEvent.setup();
  const saved: Blob[] = [];
  vi.stubGlobal(
    "URL",
    class extends URL {
      static override createObjectURL = (blob: Blob) => {
        saved.push(blob);
        return "#";
      };
      static override revokeObjectURL = () => undefined;
    },
  );
  const { service } = aService([], {
    build: async () => aBuild({ phase: "building", finished: null }),
    watch: async (_id: string, _after: string, signal: AbortSignal) =>
      (async function* () {
        yield { id: "u:0", event: LINE };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      })(),
    log: () => new Promise(() => undefined),
  } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  await screen.findByText("ERROR: No matching distribution");
  await user.click(screen.getByRole("button", { name: "Download" }));
  expect(saved).toHaveLength(1);
  expect(saved[0]?.size).toBe("ERROR: No matching distribution\n".length);
});

test("the address of a repository is a link only where it leads to a web page", async () => {
  const { service } = aService([], {
    build: async () => aBuild({ repository: "javascript://x/%0aalert(1)" }),
    watch: telling(),
  } as never);
  render(<BuildPage page={PAGE} service={service} id="b1" />);
  await screen.findByRole("heading", { level: 1 });
  const links = screen.getAllByRole<HTMLAnchorElement>("link").map(({ protocol }) => protocol);
  expect(links).not.toContain("javascript:");
});
