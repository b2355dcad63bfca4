import { describe, expect, it } from "vitest";
import { hubToken, Refused, session } from "./credentials.ts";
import { FakeServer, json, type Reply } from "./server.testing.ts";

function token(text: string, seconds = 3600): Response {
  const created = Date.parse("2020-01-01T00:00:00Z");
  return json(
    {
      token: text,
      created: new Date(created).toISOString(),
      expires_at: new Date(created + seconds * 1000).toISOString(),
    },
    201,
  );
}

function hub(...replies: Reply[]) {
  const server = new FakeServer(...replies);
  const time = { now: 0 };
  const credentials = hubToken({
    hub: "/base/hub/",
    user: "a b@c",
    service: "imagebuilder",
    xsrf: "2|secret",
    fetcher: server.fetch,
    clock: () => time.now,
  });
  return { server, credentials, time };
}

describe("a token of the hub's", () => {
  it("is asked for with the scope for this service alone, and nothing secret in the address", async () => {
    const { server, credentials } = hub(token("t1"));
    expect(await credentials.authorize()).toEqual({ Authorization: "Bearer t1" });
    expect(server.asked).toEqual([
      {
        method: "POST",
        path: "/base/hub/api/users/a%20b%40c/tokens",
        headers: { "Content-Type": "application/json", "X-XSRFToken": "2|secret" },
        body: {
          note: "image builder, from the browser",
          expires_in: 3600,
          scopes: ["access:services!service=imagebuilder"],
        },
      },
    ]);
  });

  it("is asked for once, by however many requests", async () => {
    const { server, credentials } = hub(token("t1"));
    const found = await Promise.all([1, 2, 3].map(() => credentials.authorize()));
    expect(found).toEqual(Array(3).fill({ Authorization: "Bearer t1" }));
    expect(server.asked).toHaveLength(1);
  });

  it("is made again shortly before its end", async () => {
    const { credentials, time } = hub(token("t1"), token("t2"));
    await credentials.authorize();
    time.now = 3_400_000;
    expect(await credentials.authorize()).toEqual({ Authorization: "Bearer t1" });
    time.now = 3_500_000;
    const found = await Promise.all([1, 2].map(() => credentials.authorize()));
    expect(found).toEqual(Array(2).fill({ Authorization: "Bearer t2" }));
  });

  it("is made again when it is not taken", async () => {
    const { credentials } = hub(token("t1"), token("t2"));
    await credentials.authorize();
    credentials.expired();
    expect(await credentials.authorize()).toEqual({ Authorization: "Bearer t2" });
  });

  it("lasts as long as a hub allows that allows less", async () => {
    const { server, credentials, time } = hub(json({}, 400), token("t1", 600), token("t2", 600));
    await credentials.authorize();
    expect(server.asked.map(({ body }) => (body as { expires_in?: number }).expires_in)).toEqual([
      3600,
      undefined,
    ]);
    time.now = 481_000;
    // the third answer belongs to the first attempt, which this hub takes
    expect(await credentials.authorize()).toEqual({ Authorization: "Bearer t2" });
  });

  it.each([403, 404, 500])(
    "is refused with a sentence (%d), and asked for again",
    async (status) => {
      const { credentials } = hub(json({ message: "no" }, status), token("t1"));
      const refused = credentials.authorize();
      await expect(refused).rejects.toThrow(Refused);
      await expect(refused).rejects.toThrow(/^The hub does not let you .*\.$/);
      expect(await credentials.authorize()).toEqual({ Authorization: "Bearer t1" });
    },
  );

  it("is one", async () => {
    await expect(hub(json({ token: null })).credentials.authorize()).rejects.toThrow(Refused);
  });
});

it("a session sends its XSRF token with all that it asks", async () => {
  expect(await session("x").authorize()).toEqual({ "X-XSRFToken": "x" });
});
