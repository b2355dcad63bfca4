import { cleanup, render, screen, waitFor } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import { ContentPage } from "./content.tsx";
import { hasPuller, pulling, pullOf } from "./puller.ts";

afterEach(cleanup);

const QUERY = `?${new URLSearchParams({
  server: "/user/alice/",
  repo: "https://github.com/org/repo",
  branch: "main",
  urlpath: "lab/tree/repo/a b.ipynb",
})}`;

function answering(...answers: (Partial<Response> | Error)[]): typeof fetch {
  return (async () => {
    const next = answers.shift();
    if (next === undefined || next instanceof Error) {
      throw next ?? new TypeError("asked too often");
    }
    return next;
  }) as unknown as typeof fetch;
}

test.each([
  ["it sends to the login", answering({ type: "opaqueredirect", status: 0 }), true],
  ["there is no such page", answering({ status: 404 }), false],
  ["it comes late", answering(new TypeError(), { status: 503 }, { ok: true, status: 200 }), true],
  ["it never says", answering(new TypeError(), { status: 503 }, { status: 503 }), null],
])("whether a server has nbgitpuller: %s", async (_name, fetcher, expected) => {
  expect(await hasPuller("/user/alice/", fetcher, 0)).toBe(expected);
});

test("the address that pulls says what and where", () => {
  const address = new URL(pulling(pullOf(QUERY)), "https://hub.example.org");
  expect(address.pathname).toBe("/user/alice/git-pull");
  expect(Object.fromEntries(address.searchParams)).toEqual({
    repo: "https://github.com/org/repo",
    branch: "main",
    urlpath: "lab/tree/repo/a b.ipynb",
  });
});

test("where there is nbgitpuller it is led there", async () => {
  const gone: string[] = [];
  render(<ContentPage query={QUERY} fromHub look={async () => true} go={(to) => gone.push(to)} />);
  await waitFor(() => expect(gone).toEqual([pulling(pullOf(QUERY))]));
});

test("where there is none it is said, and the server is one click away", async () => {
  render(
    <ContentPage query={QUERY} fromHub look={async () => false} go={() => expect.unreachable()} />,
  );
  expect(await screen.findByText(/has no nbgitpuller/)).toBeTruthy();
  const way = screen.getByRole("link", { name: "Go to the server" });
  expect(way.getAttribute("href")).toBe("/user/alice/lab/tree/repo/a b.ipynb");
});

test("who comes from elsewhere is asked first", async () => {
  const user = userEvent.setup();
  const gone: string[] = [];
  render(
    <ContentPage
      query={QUERY}
      fromHub={false}
      look={async () => true}
      go={(to) => gone.push(to)}
    />,
  );
  expect(screen.getByText("https://github.com/org/repo")).toBeTruthy();
  expect(gone).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Put it into my home" }));
  await waitFor(() => expect(gone).toHaveLength(1));
});
