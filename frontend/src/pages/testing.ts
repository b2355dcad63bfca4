/** Stand-ins for tests of pages. */

import type { Build, Change } from "../core/api.ts";
import type { Service } from "../service/client.ts";
import type { Page } from "./page.ts";

/** A build that went through. */
export function aBuild(other: Partial<Build> = {}): Build {
  return {
    id: "b1",
    phase: "built",
    message: "The image is built",
    reason: null,
    provider: "gh",
    spec: "org/repo/main",
    repository: "https://github.com/org/repo",
    ref: "main",
    commit: "0123456789abcdef0123456789abcdef01234567",
    image: "registry.example.org/repo@sha256:1",
    pinned: "build:gh/org/repo/0123456789abcdef0123456789abcdef01234567",
    digest: "sha256:1",
    cached: false,
    created: "2026-01-01T00:00:00+00:00",
    phases: {},
    finished: "2026-01-01T00:02:00+00:00",
    position: null,
    owner: "alice",
    mine: true,
    published: false,
    size: null,
    ...other,
  };
}

export function aPage(other: Partial<Page> = {}): Page {
  return {
    page: "images",
    service: "/services/imagebuilder/",
    hub: "/hub/",
    user: { name: "alice", admin: false },
    xsrf: "token",
    build: null,
    version: "1",
    ...other,
  };
}

/** A service with these builds, whose changes a test tells by {@link Told.change}. */
export interface Told {
  service: Service;
  change: (change: Change) => void;
  /** What was asked, as "method argument". */
  asked: string[];
}

export function aService(builds: readonly Build[], other: Partial<Service> = {}): Told {
  const asked: string[] = [];
  const waiting: Change[] = [{ type: "listening" }];
  let wake = (): void => undefined;
  async function* changes(signal?: AbortSignal): AsyncGenerator<Change> {
    signal?.addEventListener("abort", () => wake());
    while (!signal?.aborted) {
      const next = waiting.shift();
      if (next !== undefined) {
        yield next;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  const service = {
    builds: async () => [...builds],
    watchChanges: async (signal?: AbortSignal) => changes(signal),
    resolve: async () => ({ commit: builds[0]?.commit }),
    begin: async (text: string) => {
      asked.push(`begin ${text}`);
      return aBuild({ id: "begun", phase: "waiting", finished: null });
    },
    cancel: async (id: string) => {
      asked.push(`cancel ${id}`);
      return aBuild({ id, phase: "cancelled" });
    },
    rebuild: async (id: string) => {
      asked.push(`rebuild ${id}`);
      return aBuild({ id: "rebuilt", phase: "waiting", finished: null });
    },
    forget: async (id: string) => {
      asked.push(`forget ${id}`);
    },
    publish: async (id: string, on: boolean) => {
      asked.push(`publish ${id} ${on}`);
    },
    ...other,
  } as unknown as Service;
  const change = (what: Change): void => {
    waiting.push(what);
    wake();
  };
  return { service, change, asked };
}
