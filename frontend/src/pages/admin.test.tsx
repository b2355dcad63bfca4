import { cleanup, render, screen, within } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import type { Overview } from "../core/api.ts";
import { ServiceError } from "../service/errors.ts";
import { AdminPage } from "./admin.tsx";
import { aBuild, aPage, aService } from "./testing.ts";

afterEach(cleanup);

const LIMIT = { limit: null, used: 0 };
const OVERVIEW: Overview = {
  limits: {
    running: { limit: 4, used: 3 },
    waiting: LIMIT,
    user: { limit: 2, used: 0 },
    repository: LIMIT,
    user_waiting: 0,
    queue_seconds: 1800,
  },
  failures: [{ reason: "out-of-memory", count: 7, last: "2026-01-01T00:00:00+00:00" }],
  since: "2026-01-01T00:00:00+00:00",
  images: { count: 12, bytes: 5_000_000_000 },
  disk: { used: 1_000_000, total: 2_000_000 },
};
const ADMIN = aPage({ page: "admin", user: { name: "root", admin: true } });

test("figures and failures are shown as the service tells them", async () => {
  const { service } = aService([], { overview: async () => OVERVIEW } as never);
  render(<AdminPage page={ADMIN} service={service} />);
  expect(await screen.findByText("3 of 4")).toBeTruthy();
  expect(screen.getByText("2 at once")).toBeTruthy();
  expect(screen.getByText("5.0 GB compressed")).toBeTruthy();
  const row = within(screen.getAllByRole("row")[1] as HTMLElement);
  expect(row.getByText("out-of-memory")).toBeTruthy();
  expect(row.getByText("7")).toBeTruthy();
});

test("the queue has its order, behind what runs", async () => {
  const open = { phase: "waiting" as const, finished: null, mine: false };
  const { service } = aService(
    [
      aBuild({ ...open, id: "second", position: 2, owner: "carol" }),
      aBuild({ ...open, id: "first", position: 1, owner: "bob" }),
      aBuild({ ...open, id: "runs", phase: "building", owner: "dave" }),
    ],
    { overview: async () => OVERVIEW } as never,
  );
  render(<AdminPage page={ADMIN} service={service} />);
  await screen.findByText("by bob");
  const list = screen.getByRole("list", { name: "Builds that run or wait" });
  const owners = within(list)
    .getAllByText(/^by /)
    .map((element) => element.textContent);
  expect(owners).toEqual(["by dave", "by bob", "by carol"]);
  expect(within(list).getAllByRole("button", { name: "Cancel" })).toHaveLength(3);
});

test("what is published is listed by itself, and taken out there", async () => {
  const user = userEvent.setup();
  const { service, asked } = aService([aBuild({ published: true }), aBuild({ id: "b2" })], {
    overview: async () => OVERVIEW,
  } as never);
  render(<AdminPage page={ADMIN} service={service} />);
  const region = within(await screen.findByRole("region", { name: "For everybody" }));
  expect(await region.findAllByRole("listitem")).toHaveLength(1);
  await user.click(region.getByRole("button", { name: "Unpublish" }));
  expect(await region.findByText(/No image is in everybody's list/)).toBeTruthy();
  expect(asked).toEqual(["publish b1 false"]);
});

test("figures that could not be had once are there when they can", async () => {
  let asked = 0;
  const { service, change } = aService([], {
    overview: async () => {
      asked += 1;
      if (asked === 1) {
        throw new ServiceError("store-unavailable", "The history does not answer.", 503);
      }
      return OVERVIEW;
    },
  } as never);
  render(<AdminPage page={ADMIN} service={service} />);
  expect(await screen.findByText("The history does not answer.")).toBeTruthy();
  change({ type: "build", build: aBuild({ phase: "building", finished: null }) });
  expect(await screen.findByText("3 of 4", {}, { timeout: 4000 })).toBeTruthy();
  expect(screen.queryByText("The history does not answer.")).toBeNull();
});
