import { describe, expect, it } from "vitest";
import type { BuildEvent } from "../core/api.ts";
import { golden } from "../core/golden.testing.ts";
import { EventParser } from "../core/sse.ts";
import { Service } from "./client.ts";
import { session } from "./credentials.ts";
import { follow, followChanges } from "./follow.ts";
import { all, FakeServer, type Reply, refusal, silent, stream } from "./server.testing.ts";

const CUT = new Error("the connection is cut");

function world(...replies: Reply[]) {
  const server = new FakeServer(...replies);
  const waits: number[] = [];
  const nature = {
    random: () => 1,
    sleep: async (milliseconds: number) => {
      waits.push(milliseconds);
    },
  };
  const service = new Service("/s/", session("x"), server.fetch);
  return { server, waits, nature, service };
}

function framesOf(text: string): string[] {
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((frame) => `${frame}\n\n`);
}

const BUILT = framesOf(golden("events-built"));
const TOLD: BuildEvent[] = new EventParser()
  .push(golden("events-built"))
  .map(({ data }) => JSON.parse(data));

function line(index: number, source = "uid"): string {
  return `id: ${source}:${index}\ndata: {"type": "log", "text": "line ${source} ${index}", "phase": null}\n\n`;
}

function gap(message: string): string {
  return `data: {"type": "gap", "message": "${message}"}\n\n`;
}

const FAILED = framesOf(golden("events-failed")).at(-1) ?? "";

async function followed(...streams: string[][]) {
  const { service, nature } = world(
    ...streams.map((frames, index) => stream(frames, index < streams.length - 1 ? CUT : undefined)),
  );
  const told = await all(follow(service, "b1", undefined, nature));
  return told.map((one) => {
    if (one.type === "log") {
      return one.text;
    }
    return one.type === "gap" ? `[${one.message}]` : one.type;
  });
}

describe("a build", () => {
  it("is followed to its end", async () => {
    const { service, server, nature } = world(stream(BUILT));
    expect(await all(follow(service, "b1", undefined, nature))).toEqual(TOLD);
    expect(server.asked).toHaveLength(1);
  });

  it("is told without a line twice or missing, wherever the stream breaks", async () => {
    for (let cut = 0; cut < BUILT.length; cut++) {
      const before = BUILT.slice(0, cut);
      const had = before.map((frame) => frame.startsWith("id: ")).lastIndexOf(true);
      // as the service resumes: behind the last line, or from the start where there was none
      const rest = BUILT.slice(had + 1);
      const { service, server, nature } = world(stream(before, CUT), stream(rest));
      const told = await all(follow(service, "b1", undefined, nature));
      const lines = told.filter(({ type }) => type === "log" || type === "gap");
      expect(lines).toEqual(TOLD.filter(({ type }) => type !== "phase"));
      expect(told.filter(({ type }) => type === "away" || type === "back")).toHaveLength(2);
      expect(told.at(-1)).toEqual(TOLD.at(-1));
      const id = had < 0 ? undefined : BUILT[had]?.match(/^id: (.*)$/m)?.[1];
      expect(server.asked[1]?.headers["Last-Event-ID"]).toBe(id);
    }
  });

  it("is told once where the whole log is read anew", async () => {
    for (let cut = 0; cut < BUILT.length; cut++) {
      const { service, nature } = world(stream(BUILT.slice(0, cut), CUT), stream(BUILT));
      const told = await all(follow(service, "b1", undefined, nature));
      const lines = told.filter(({ type }) => type === "log" || type === "gap");
      expect(lines).toEqual(TOLD.filter(({ type }) => type !== "phase"));
    }
  });

  it("may go on in another pod", async () => {
    const first = [line(0, "one"), line(1, "one"), gap("lost")];
    const second = [line(0, "one"), line(1, "one"), gap("lost"), line(0, "two"), FAILED];
    expect(await followed(first, second)).toEqual([
      "line one 0",
      "line one 1",
      "[lost]",
      "away",
      "back",
      "line two 0",
      "phase",
    ]);
  });

  it("has a gap that is new after a break", async () => {
    expect(await followed([line(0)], [gap("3 lines are lost"), line(4), FAILED])).toEqual([
      "line uid 0",
      "away",
      "back",
      "[3 lines are lost]",
      "line uid 4",
      "phase",
    ]);
    expect(await followed([line(0), gap("a")], [gap("a"), gap("b"), FAILED])).toEqual([
      "line uid 0",
      "[a]",
      "away",
      "back",
      "[b]",
      "phase",
    ]);
  });
});

describe("a service that is away", () => {
  it("is asked later and later, and told of once", async () => {
    const { service, waits, nature } = world(...Array(8).fill(CUT), stream(BUILT));
    const told = await all(follow(service, "b1", undefined, nature));
    expect(told.slice(0, 3).map(({ type }) => type)).toEqual(["away", "back", "phase"]);
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it("is not asked by all at once", async () => {
    const { service, nature, waits } = world(CUT, stream(BUILT));
    await all(follow(service, "b1", undefined, { ...nature, random: () => 0 }));
    expect(waits).toEqual([250]);
  });

  it("is asked soon again after it was there", async () => {
    const { service, waits, nature } = world(CUT, CUT, stream([line(0)], CUT), stream([FAILED]));
    await all(follow(service, "b1", undefined, nature));
    expect(waits).toEqual([500, 1000, 500]);
  });

  it("is left alone for as long as it says", async () => {
    const full = refusal("service-unavailable", 503, { "Retry-After": "7" });
    const { service, waits, nature } = world(full, stream([FAILED]));
    await all(follow(service, "b1", undefined, nature));
    expect(waits).toEqual([7000]);
  });

  it("has stopped where the stream ends before the build does", async () => {
    const { service, nature } = world(stream([line(0)]), stream([FAILED]));
    const told = await all(follow(service, "b1", undefined, nature));
    expect(told.map(({ type }) => type)).toEqual(["log", "away", "back", "phase"]);
  });
});

describe("the end", () => {
  it.each([
    ["build-not-found", 404],
    ["access-denied", 403],
    ["authentication-required", 401],
  ])("comes with a refusal: %s", async (reason, status) => {
    const { service, nature } = world(refusal(reason, status));
    await expect(all(follow(service, "b1", undefined, nature))).rejects.toMatchObject({ reason });
  });

  it("comes with the signal, while nothing is told", async () => {
    const controller = new AbortController();
    let gone = false;
    const reply = (_: unknown, signal: AbortSignal | null) =>
      silent(line(0), signal, () => {
        gone = true;
      });
    const { service, nature } = world(reply);
    const told: string[] = [];
    for await (const one of follow(service, "b1", controller.signal, nature)) {
      told.push(one.type);
      controller.abort();
    }
    expect(told).toEqual(["log"]);
    expect(gone).toBe(true);
  });

  it("comes with the signal, while it waits", async () => {
    const controller = new AbortController();
    const { service } = world(CUT);
    const told: string[] = [];
    for await (const one of follow(service, "b1", controller.signal)) {
      told.push(one.type);
      controller.abort();
    }
    expect(told).toEqual(["away"]);
  });
});

it("changes are followed for good", async () => {
  const change = (id: string) => `data: {"type": "gone", "id": "${id}"}\n\n`;
  const { service, nature, server } = world(
    stream([change("b1")]),
    CUT,
    stream([change("b2")], CUT),
    refusal("access-denied", 403),
  );
  const told: unknown[] = [];
  const reading = (async () => {
    for await (const one of followChanges(service, undefined, nature)) {
      told.push(one.type === "gone" ? one.id : one.type);
    }
  })();
  await expect(reading).rejects.toMatchObject({ reason: "access-denied" });
  expect(told).toEqual(["b1", "away", "back", "b2", "away"]);
  expect(server.asked).toHaveLength(4);
});
