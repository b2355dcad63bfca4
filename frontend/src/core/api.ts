/**
 * What the service says and is told, as its description (`api/openapi.json`) has it.
 *
 * Times are ISO 8601 with a zone; sizes are bytes; durations are seconds.
 */

export type Phase =
  | "waiting"
  | "fetching"
  | "building"
  | "pushing"
  | "built"
  | "failed"
  | "cancelled";

/** One execution of a request for an image. */
export interface Build {
  id: string;
  phase: Phase;
  message: string;
  reason: string | null;
  provider: string;
  spec: string;
  repository: string;
  ref: string;
  commit: string;
  image: string;
  /** What one would write to get this very commit again. */
  pinned: string;
  digest: string | null;
  cached: boolean;
  created: string;
  phases: Partial<Record<Phase, string>>;
  finished: string | null;
  /** Place in the queue, from 1; null where it does not wait for its turn. */
  position: number | null;
  /** Who asked first; null where the viewer has no business to know. */
  owner: string | null;
  /** Whether the viewer is one of those who asked for it. */
  mine: boolean;
  /** Whether an admin put it into everybody's list. */
  published: boolean;
  /** Bytes of the image's compressed layers; null where nobody knows. */
  size: number | null;
}

export interface LogEvent {
  type: "log";
  text: string;
  phase: Phase | null;
}

export interface GapEvent {
  type: "gap";
  message: string;
}

export interface PhaseEvent {
  type: "phase";
  phase: Phase;
  message: string;
  reason: string | null;
  image: string | null;
  digest: string | null;
}

/** One thing that happened in a build. */
export type BuildEvent = LogEvent | GapEvent | PhaseEvent;

/** A limit and what is used of it; null: there is no limit, or nothing to count. */
export interface Limit {
  limit: number | null;
  used: number | null;
}

export interface Limits {
  running: Limit;
  waiting: Limit;
  user: Limit;
  repository: Limit;
  user_waiting: number;
  queue_seconds: number;
}

/** What a request for a build would lead to. */
export interface Outlook {
  provider: string;
  spec: string;
  repository: string;
  ref: string;
  commit: string;
  title: string | null;
  date: string | null;
  image: string;
  digest: string | null;
  cached: boolean;
  why: string;
  under_way: boolean;
  build: string | null;
  expected_seconds: number | null;
  limits: Limits;
  /** Whether the viewer, or everybody by an admin's word, has an image of this repository. */
  familiar: boolean;
}

export interface Provider {
  id: string;
  name: string;
  refs: boolean;
  spec: string;
  examples: string[];
}

/** A branch or a tag. */
export interface Ref {
  name: string;
  kind: "branch" | "tag";
  commit: string;
}

export interface Refs {
  refs: Ref[];
  /** The branch that the host shows first; null where it does not say. */
  default: string | null;
  /** Whether the host has more of them. */
  more: boolean;
}

/** A repository that the viewer asked for before. */
export interface Recent {
  /** What one would paste: address, and the ref behind `@`. */
  text: string;
  repository: string;
  ref: string;
  provider: string;
  /** When it was asked for last. */
  used: string;
}

/** One thing that changed in a list of builds; the first says that none is missed from now on. */
export type Change =
  | { type: "listening" }
  | { type: "build"; build: Build }
  | { type: "gone"; id: string };

/** For admins: what goes on. */
export interface Overview {
  limits: Limits;
  /** Ended builds by their reason, most frequent first. */
  failures: { reason: string; count: number; last: string }[];
  /** What the failures are counted from. */
  since: string;
  images: { count: number; bytes: number };
  /** Of the file system that logs are kept on; null: it is elsewhere. */
  disk: { used: number; total: number } | null;
}
