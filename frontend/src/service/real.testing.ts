/**
 * `vite-node real.testing.ts '{"token": …}'` or `'{"follow": …}'`: this code against real servers,
 * for tests/integration/frontend/test_client.py.  Prints a line of JSON for each thing that it has.
 */

import { Service } from "./client.ts";
import { hubToken } from "./credentials.ts";
import { follow } from "./follow.ts";

interface Asked {
  token?: { origin: string; hub: string; user: string; xsrf: string; cookie: string };
  follow?: { base: string; token: string; id: string };
}

const asked: Asked = JSON.parse(process.argv.at(-1) ?? "{}");
const tell = (said: unknown) => process.stdout.write(`${JSON.stringify(said)}\n`);

if (asked.token) {
  const { origin, hub, user, xsrf, cookie } = asked.token;
  // what a browser adds by itself
  const fetcher: typeof fetch = (input, init) =>
    fetch(new URL(String(input), origin), {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), Cookie: cookie },
    });
  const credentials = hubToken({ hub, user, service: "imagebuilder", xsrf, fetcher });
  tell(await credentials.authorize());
}

if (asked.follow) {
  const { base, token, id } = asked.follow;
  const credentials = {
    authorize: async () => ({ Authorization: `Bearer ${token}` }),
    expired() {},
  };
  for await (const told of follow(new Service(base, credentials), id)) {
    tell(told);
  }
}
