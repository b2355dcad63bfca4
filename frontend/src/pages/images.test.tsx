import { cleanup, render, screen, waitFor, within } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeAll, expect, test } from "vitest";
import { Away } from "../service/errors.ts";
import { ImagesPage } from "./images.tsx";
import { aBuild, aPage, aService } from "./testing.ts";

beforeAll(() => {
  // jsdom has the element without what makes it modal
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
});
afterEach(cleanup);

test("an image is listed with what tells it from others, and a way to start it", async () => {
  const { service } = aService([aBuild({ size: 412_000_000 })]);
  render(<ImagesPage page={aPage()} service={service} />);
  const card = within(await screen.findByRole("listitem"));
  expect(card.getByRole("heading").textContent).toBe("github.com/org/repo");
  expect(card.getByText("0123456")).toBeTruthy();
  expect(card.getByText("412 MB")).toBeTruthy();
  const start = card.getByRole("link", { name: "Start a server" });
  expect(start.getAttribute("href")).toContain("/hub/spawn#");
  expect(start.getAttribute("href")).toContain(encodeURIComponent(aBuild().pinned));
});

test("who has built nothing yet is told how", async () => {
  const { service } = aService([aBuild({ mine: false, owner: "bob" })]);
  render(<ImagesPage page={aPage()} service={service} />);
  expect(await screen.findByRole("heading", { name: "Nothing is built yet" })).toBeTruthy();
  expect(screen.getByRole("link", { name: "Open the form" }).getAttribute("href")).toBe(
    "/hub/spawn",
  );
});

test("what is published is there for everybody, and only its own people may delete it", async () => {
  const { service } = aService([aBuild({ mine: false, owner: null, published: true })]);
  render(<ImagesPage page={aPage()} service={service} />);
  expect(await screen.findByText("For everybody")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Delete" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Publish" })).toBeNull();
});

test("a build shows up, moves and goes without being asked for", async () => {
  const { service, change } = aService([]);
  render(<ImagesPage page={aPage()} service={service} />);
  await screen.findByRole("heading", { name: "Nothing is built yet" });
  const waiting = aBuild({ phase: "waiting", position: 3, finished: null });
  change({ type: "build", build: waiting });
  expect(await screen.findByText("Waiting, third in the queue")).toBeTruthy();
  change({ type: "build", build: aBuild() });
  expect(await screen.findByText("Built")).toBeTruthy();
  change({ type: "gone", id: "b1" });
  expect(await screen.findByRole("heading", { name: "Nothing is built yet" })).toBeTruthy();
});

test("a build is cancelled after a question", async () => {
  const user = userEvent.setup();
  const { service, asked } = aService([aBuild({ phase: "building", finished: null })]);
  render(<ImagesPage page={aPage()} service={service} />);
  await user.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(asked).toEqual([]);
  await user.click(await screen.findByRole("button", { name: "Cancel the build" }));
  expect(await screen.findByText("Cancelled")).toBeTruthy();
  expect(asked).toEqual(["cancel b1"]);
});

test("a branch that moved is built anew by one click", async () => {
  const user = userEvent.setup();
  const moved = { resolve: async () => ({ commit: "f".repeat(40) }) };
  const { service, asked } = aService([aBuild()], moved as never);
  render(<ImagesPage page={aPage()} service={service} />);
  await user.click(await screen.findByRole("button", { name: /New commits/ }));
  expect(asked).toEqual(["begin build:gh/org/repo/main"]);
  expect(await screen.findByText("Waiting")).toBeTruthy();
});

test("a branch that did not move has no badge", async () => {
  const { service } = aService([aBuild()]);
  render(<ImagesPage page={aPage()} service={service} />);
  await screen.findByRole("listitem");
  expect(screen.queryByRole("button", { name: /New commits/ })).toBeNull();
});

test("while the service is away, its last word stays with a notice", async () => {
  let streams = 0;
  const { service } = aService([aBuild()], {
    watchChanges: async () => {
      streams += 1;
      if (streams > 1) {
        throw new Away();
      }
      return (async function* () {
        yield { type: "listening" };
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Away();
      })();
    },
  } as never);
  render(<ImagesPage page={aPage()} service={service} />);
  expect(await screen.findByText(/does not answer just now/, {}, { timeout: 3000 })).toBeTruthy();
  expect(screen.getByRole("heading", { level: 2 }).textContent).toBe("github.com/org/repo");
});

test("the list is searched", async () => {
  const user = userEvent.setup();
  const { service } = aService([
    aBuild(),
    aBuild({ id: "b2", repository: "https://github.com/org/lesson" }),
  ]);
  render(<ImagesPage page={aPage()} service={service} />);
  await user.type(await screen.findByRole("searchbox"), "lesson");
  expect(screen.getAllByRole("listitem")).toHaveLength(1);
  await user.type(screen.getByRole("searchbox"), "x");
  expect(screen.getByText(/Nothing fits/)).toBeTruthy();
});

test("an admin is shown their own builds, however many others began since", async () => {
  const others = Array.from({ length: 100 }, (_, index) =>
    aBuild({ id: `o${index}`, mine: false }),
  );
  const { service, change } = aService([], {
    builds: async ({ own }: { own?: boolean }) => (own ? [aBuild()] : others),
  } as never);
  render(<ImagesPage page={aPage()} service={service} />);
  expect(await screen.findByRole("heading", { name: "github.com/org/repo" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Show older ones" })).toBeNull();
  change({ type: "build", build: aBuild({ id: "new", mine: false }) });
  expect(screen.getAllByRole("listitem")).toHaveLength(1);
});

test("two clicks in a row rebuild once", async () => {
  const { service, asked } = aService([aBuild()]);
  render(<ImagesPage page={aPage()} service={service} />);
  const button = await screen.findByRole("button", { name: "Rebuild" });
  button.click();
  button.click();
  expect(await screen.findByText("Waiting")).toBeTruthy();
  expect(asked).toEqual(["rebuild b1"]);
});

test("the keyboard's place is not lost with what was deleted", async () => {
  const user = userEvent.setup();
  const { service, asked } = aService([aBuild(), aBuild({ id: "b2" })]);
  render(<ImagesPage page={aPage()} service={service} />);
  await user.click((await screen.findAllByRole("button", { name: "Delete" }))[0] as HTMLElement);
  const dialog = within(await screen.findByRole("dialog"));
  await user.click(dialog.getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(1));
  expect(asked).toEqual(["forget b1"]);
  expect(document.activeElement?.textContent).toBe("My images");
  expect(screen.getByRole("status").textContent).toContain("The build was deleted.");
});

test("a failure says why, in words", async () => {
  const failed = aBuild({ phase: "failed", reason: "build-failed", message: "The step failed." });
  const { service } = aService([failed]);
  render(<ImagesPage page={aPage()} service={service} />);
  expect(await screen.findByText("The step failed.")).toBeTruthy();
});
