/** Builds for tests. */

import type { Build } from "./api.ts";

export function aBuild(changes: Partial<Build> = {}): Build {
  return {
    id: "b1",
    phase: "waiting",
    message: "Waiting for the build to start",
    reason: null,
    provider: "gh",
    spec: "org/repo/main",
    repository: "https://github.com/org/repo",
    ref: "main",
    commit: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    image: "registry.example.org/team/org-repo:4b825dc",
    pinned: "https://github.com/org/repo@4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    digest: null,
    cached: false,
    created: "2026-01-01T00:00:00+00:00",
    phases: { waiting: "2026-01-01T00:00:00+00:00" },
    finished: null,
    position: null,
    owner: null,
    mine: true,
    published: false,
    size: null,
    ...changes,
  };
}
