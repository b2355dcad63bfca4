import { cleanup, render, screen, waitFor } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import type { Service } from "../service/client.ts";
import { ServiceError } from "../service/errors.ts";
import { LinkPage } from "./link.tsx";
import { aPage } from "./testing.ts";

afterEach(cleanup);

const OUTLOOK = {
  provider: "gh",
  spec: "org/repo/main",
  commit: "0123456789abcdef0123456789abcdef01234567",
  title: "A lesson",
  date: null,
};

function serviceThat(resolve: (text: string) => Promise<unknown>): Service {
  return { resolve } as unknown as Service;
}

test("a link is made of what the service understood", async () => {
  const user = userEvent.setup();
  render(<LinkPage page={aPage()} service={serviceThat(async () => OUTLOOK)} />);
  await user.type(screen.getByLabelText("Repository"), "whatever was pasted");
  await user.type(screen.getByLabelText(/Open this path/), "lab/tree/a b.ipynb");
  const link = await screen.findByLabelText<HTMLInputElement>("Link");
  const address = new URL(link.value);
  expect(address.pathname).toBe("/services/imagebuilder/v2/gh/org/repo/main");
  expect(address.searchParams.get("urlpath")).toBe("lab/tree/a b.ipynb");
  expect(screen.getByLabelText<HTMLInputElement>("Markdown").value).toContain(`(${link.value})`);
});

test("what is no repository is answered with the service's sentence", async () => {
  const user = userEvent.setup();
  const refusing = serviceThat(() =>
    Promise.reject(new ServiceError("spec-invalid", "Write an address such as …", 400, null)),
  );
  render(<LinkPage page={aPage()} service={refusing} />);
  await user.type(screen.getByLabelText("Repository"), "x");
  expect(await screen.findByText("Write an address such as …")).toBeTruthy();
  expect(screen.queryByLabelText("Link")).toBeNull();
});

test("no link of what was there before stands beside what is written now", async () => {
  const user = userEvent.setup();
  const answers: ((outlook: unknown) => void)[] = [];
  const service = serviceThat(() => new Promise((resolve) => answers.push(resolve)));
  render(<LinkPage page={aPage()} service={service} />);
  await user.type(screen.getByLabelText("Repository"), "one");
  await waitFor(() => expect(answers).toHaveLength(1));
  answers[0]?.(OUTLOOK);
  expect(await screen.findByLabelText("Link")).toBeTruthy();
  await user.type(screen.getByLabelText("Repository"), " two");
  expect(screen.queryByLabelText("Link")).toBeNull();
});

test("a path that leads out of the server makes no link", async () => {
  const user = userEvent.setup();
  render(<LinkPage page={aPage()} service={serviceThat(async () => OUTLOOK)} />);
  await user.type(screen.getByLabelText("Repository"), "one");
  await screen.findByLabelText("Link");
  await user.type(screen.getByLabelText(/Open this path/), "../other");
  expect(screen.queryByLabelText("Link")).toBeNull();
  expect(screen.getByText(/no path inside a server/)).toBeTruthy();
});

test("a badge of several lines is not put into one", async () => {
  const user = userEvent.setup();
  render(<LinkPage page={aPage()} service={serviceThat(async () => OUTLOOK)} />);
  await user.type(screen.getByLabelText("Repository"), "one");
  const field = await screen.findByLabelText<HTMLTextAreaElement>("reStructuredText");
  expect(field.value.trimEnd().split("\n")).toHaveLength(3);
});
