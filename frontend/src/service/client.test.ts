import { afterEach, describe, expect, it, vi } from "vitest";
import { aBuild } from "../core/building.testing.ts";
import { golden, transcripts } from "../core/golden.testing.ts";
import { Away, Service, ServiceError } from "./client.ts";
import type { Credentials } from "./credentials.ts";
import { Refused, session } from "./credentials.ts";
import { all, FakeServer, json, type Reply, refusal, silent, stream } from "./server.testing.ts";

afterEach(() => {
  vi.useRealTimers();
});

function serving(...replies: Reply[]) {
  const server = new FakeServer(...replies);
  return { server, service: new Service("/s/", session("x"), server.fetch) };
}

/** A token that changes when it is not taken. */
function tokens(): Credentials {
  let number = 1;
  return {
    authorize: async () => ({ Authorization: `Bearer t${number}` }),
    expired: () => {
      number += 1;
    },
  };
}

describe("requests", () => {
  const build = aBuild();
  const cases: [
    string,
    (service: Service) => Promise<unknown>,
    string,
    unknown,
    unknown,
    unknown,
  ][] = [
    [
      "resolve",
      (s) => s.resolve("o r"),
      "POST /s/api/resolve",
      { repository: "o r" },
      { a: 1 },
      { a: 1 },
    ],
    [
      "refs",
      (s) => s.refs("a b&c"),
      "GET /s/api/refs?repository=a+b%26c",
      null,
      { refs: [] },
      { refs: [] },
    ],
    [
      "repositories",
      (s) => s.repositories(),
      "GET /s/api/repositories",
      null,
      { repositories: [1] },
      [1],
    ],
    ["begin", (s) => s.begin("r"), "POST /s/api/builds", { repository: "r" }, build, build],
    [
      "begin at a commit",
      (s) => s.begin("r", "c"),
      "POST /s/api/builds",
      { repository: "r", commit: "c" },
      build,
      build,
    ],
    ["build", (s) => s.build("a/b"), "GET /s/api/builds/a%2Fb", null, build, build],
    ["builds", (s) => s.builds(), "GET /s/api/builds?", null, { builds: [build] }, [build]],
    [
      "older builds",
      (s) => s.builds({ limit: 5, before: build.created }),
      "GET /s/api/builds?limit=5&before=2026-01-01T00%3A00%3A00%2B00%3A00",
      null,
      { builds: [] },
      [],
    ],
    ["cancel", (s) => s.cancel("b1"), "POST /s/api/builds/b1/cancel", {}, build, build],
    ["rebuild", (s) => s.rebuild("b1"), "POST /s/api/builds/b1/rebuild", {}, build, build],
    [
      "publish",
      (s) => s.publish("b1", true),
      "PUT /s/api/builds/b1/published",
      null,
      build,
      undefined,
    ],
    [
      "take back",
      (s) => s.publish("b1", false),
      "DELETE /s/api/builds/b1/published",
      null,
      build,
      undefined,
    ],
    ["providers", (s) => s.providers(), "GET /s/api/providers", null, { providers: [2] }, [2]],
    ["limits", (s) => s.limits(), "GET /s/api/limits", null, { running: 1 }, { running: 1 }],
    ["overview", (s) => s.overview(), "GET /s/api/overview", null, { since: "" }, { since: "" }],
  ];

  it.each(cases)("%s", async (_, ask, line, body, answer, result) => {
    const { server, service } = serving(json(answer));
    expect(await ask(service)).toEqual(result);
    const [request] = server.asked;
    expect(`${request?.method} ${request?.path}`).toBe(line);
    expect(request?.body).toEqual(body);
    expect(request?.headers["X-XSRFToken"]).toBe("x");
    expect(request?.headers["Content-Type"]).toBe(body === null ? undefined : "application/json");
  });

  it("forget has no answer", async () => {
    const { server, service } = serving(new Response(null, { status: 204 }));
    await service.forget("b1");
    expect(server.asked[0]).toMatchObject({ method: "DELETE", path: "/s/api/builds/b1" });
  });

  it("log is a file", async () => {
    const { service } = serving(new Response("line\n"));
    expect(await (await service.log("b1")).text()).toBe("line\n");
  });
});

describe("failures", () => {
  it("are the service's own words", async () => {
    const { service } = serving(refusal("quota", 429, { "Retry-After": "94" }));
    const error = await service.begin("r").catch((failed: unknown) => failed);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({
      reason: "quota",
      message: "Refused: quota.",
      status: 429,
      retryAfter: 94,
    });
  });

  it("may have no reason", async () => {
    const { service } = serving(refusal(null, 404));
    await expect(service.build("b1")).rejects.toMatchObject({ reason: null, retryAfter: null });
  });

  it.each([
    ["no network", new TypeError("Failed to fetch")],
    ["a proxy's page", new Response("<h1>503</h1>", { status: 503 })],
    ["another service's JSON", json({ status: 404 }, 404)],
    ["JSON null", json(null, 502)],
    ["a login page", new Response("<form>", { status: 200 })],
  ])("are Away for %s", async (_, reply) => {
    const again = reply instanceof Response ? reply.clone() : reply;
    await expect(serving(reply).service.limits()).rejects.toThrow(Away);
    await expect(all(serving(again).service.events("b1"))).rejects.toThrow(Away);
  });

  it("of the hub, which gives no token, are sentences", async () => {
    const refusing: Credentials = {
      authorize: () => Promise.reject(new Refused("The hub does not let you.")),
      expired() {},
    };
    const service = new Service("/s/", refusing, new FakeServer().fetch);
    await expect(service.limits()).rejects.toMatchObject({
      reason: "authentication-required",
      message: "The hub does not let you.",
    });
  });

  it("end with the caller's signal", async () => {
    const { service } = serving(json({}));
    const signal = AbortSignal.abort(new Error("typed on"));
    await expect(service.resolve("r", signal)).rejects.toThrow("typed on");
  });

  it("come when nothing comes for a minute", async () => {
    vi.useFakeTimers();
    const never = (_: unknown, signal: AbortSignal | null) => silent("", signal, () => undefined);
    const { service } = serving(never);
    const waiting = expect(service.limits()).rejects.toThrow(Away);
    await vi.advanceTimersByTimeAsync(61_000);
    await waiting;
  });
});

describe("a token that is not taken", () => {
  it("is replaced once", async () => {
    const server = new FakeServer(refusal("authentication-required", 401), json({ ok: 1 }));
    expect(await new Service("/s/", tokens(), server.fetch).limits()).toEqual({ ok: 1 });
    expect(server.asked.map(({ headers }) => headers.Authorization)).toEqual([
      "Bearer t1",
      "Bearer t2",
    ]);
  });

  it("is not replaced again and again", async () => {
    const no = () => refusal("authentication-required", 401);
    const server = new FakeServer(no, no, no);
    const service = new Service("/s/", tokens(), server.fetch);
    await expect(service.limits()).rejects.toMatchObject({ status: 401 });
    expect(server.asked).toHaveLength(2);
  });

  it("of a session cannot be", async () => {
    const { server, service } = serving(refusal("authentication-required", 401));
    await expect(service.limits()).rejects.toMatchObject({ status: 401 });
    expect(server.asked).toHaveLength(1);
  });

  it("is another thing than what one may not do", async () => {
    const server = new FakeServer(refusal("access-denied", 403));
    const service = new Service("/s/", tokens(), server.fetch);
    await expect(service.cancel("b1")).rejects.toMatchObject({ status: 403 });
    expect(server.asked).toHaveLength(1);
  });
});

describe("events", () => {
  it.each(transcripts("events-"))("%s, cut at each of its bytes", async (name) => {
    // as a server sends it that does not escape what is not ASCII
    const text = golden(name)
      .replace(/\\u00f6\\u00df/g, "öß")
      .replace(/\\ud83d\\udd2c/g, "🔬");
    const bytes = new TextEncoder().encode(text);
    const whole = await all(serving(stream([text])).service.events("b1"));
    expect(whole.at(-1)?.event).toMatchObject({ type: "phase" });
    expect(JSON.stringify(whole)).not.toContain("\uFFFD");
    for (const size of [1, 2, 3, 7]) {
      const count = Math.ceil(bytes.length / size);
      const pieces = Array.from({ length: count }, (_, n) => bytes.slice(n * size, (n + 1) * size));
      expect(await all(serving(stream(pieces)).service.events("b1"))).toEqual(whole);
    }
  });

  it("resume behind a line", async () => {
    const { server, service } = serving(stream([golden("events-resumed")]));
    const told = await all(service.events("b1", "uid:2"));
    expect(told[0]).toMatchObject({ id: "uid:3", event: { type: "log" } });
    expect(server.asked[0]?.headers).toMatchObject({
      "Last-Event-ID": "uid:2",
      Accept: "text/event-stream",
    });
  });

  it("tell what came before the connection broke", async () => {
    const { service } = serving(
      stream([golden("events-cancelled").slice(0, 200)], new Error("cut")),
    );
    const told: unknown[] = [];
    const reading = (async () => {
      for await (const one of service.events("b1")) {
        told.push(one);
      }
    })();
    await expect(reading).rejects.toThrow(Away);
    expect(told).toHaveLength(1);
  });

  it("are taken for broken when not even a comment comes for a minute", async () => {
    vi.useFakeTimers();
    let gone = false;
    const reply = (_: unknown, signal: AbortSignal | null) =>
      silent(":keepalive\n\n", signal, () => {
        gone = true;
      });
    const { service } = serving(reply);
    const reading = expect(all(service.events("b1"))).rejects.toThrow(Away);
    await vi.advanceTimersByTimeAsync(61_000);
    await reading;
    expect(gone).toBe(true);
  });

  it("cost the service nothing when nobody reads on", async () => {
    let gone = false;
    const text = golden("events-built").slice(0, 400);
    const reply = (_: unknown, signal: AbortSignal | null) =>
      silent(text, signal, () => {
        gone = true;
      });
    for await (const { event } of serving(reply).service.events("b1")) {
      expect(event.type).toBe("phase");
      break;
    }
    expect(gone).toBe(true);
  });

  it("of changes", async () => {
    const { server, service } = serving(
      stream([":hello\n\n", 'data: {"type": "gone", "id": "b1"}\n\n']),
    );
    expect(await all(service.changes())).toEqual([{ type: "gone", id: "b1" }]);
    expect(server.asked[0]?.path).toBe("/s/api/changes");
  });
});
