import { act, cleanup, fireEvent, render, screen, within } from "@testing-library/preact";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { Log } from "../core/log.ts";
import { Ago } from "./ago.tsx";
import { Announcer } from "./announcer.tsx";
import { Confirm } from "./confirm.tsx";
import { CopyButton } from "./copy-button.tsx";
import { Failure } from "./failure.tsx";
import { story, T0 } from "./gallery-data.ts";
import { ordinal, Stages } from "./stages.tsx";
import { say } from "./voice.ts";

const AT = Date.parse(T0) + 100_000;

beforeAll(() => {
  // jsdom knows the element and not what it does
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
    this.open = false;
  };
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function steps(): string[] {
  return within(screen.getByRole("list", { name: "Stages of the build" }))
    .getAllByRole("listitem")
    .map((step) =>
      [...step.querySelectorAll("span:not(.ib-mark)")]
        .map((part) => part.textContent)
        .filter(Boolean)
        .join(", "),
    );
}

test("the stages say what was, what is and for how long, and what is to come", () => {
  render(<Stages story={story("building")} now={AT} />);
  expect(steps()).toEqual([
    "Waiting, 5 s, done",
    "Fetching, 7 s, done",
    "Building, 1 min 28 s, under way",
    "Pushing, to come",
    "Ready, to come",
  ]);
  expect(document.querySelector("[aria-current=step]")?.textContent).toContain("Building");
});

test("a clock that is behind the service's shows no time below zero", () => {
  render(<Stages story={story("building")} now={Date.parse(T0)} />);
  expect(steps()[2]).toBe("Building, 0 s, under way");
});

test.each([
  ["failed", "Building, 1 min 46 s, failed"],
  ["cancelled", "Building, 1 min 46 s, cancelled"],
] as const)("a build that %s stops where it was", (phase, expected) => {
  render(<Stages story={story(phase)} now={AT * 2} />);
  expect(steps()[2]).toBe(expected);
  expect(steps()[3]).toBe("Pushing, to come");
  expect(document.querySelector("[aria-current]")).toBeNull();
});

test("what was there already needed nothing", () => {
  render(<Stages story={story("built", { phases: { built: T0 } })} now={AT} />);
  expect(steps()).toEqual([
    "Waiting, not needed",
    "Fetching, not needed",
    "Building, not needed",
    "Pushing, not needed",
    "Ready, done",
  ]);
});

test("who waits is told the place", () => {
  const { rerender } = render(<Stages story={story("waiting", { position: 3 })} now={AT} />);
  expect(screen.getByText("Third in the queue.")).toBeTruthy();
  rerender(<Stages story={story("waiting", { position: 1 })} now={AT} />);
  expect(screen.getByText(/^First in the queue/)).toBeTruthy();
});

test("places have names", () => {
  expect([1, 2, 10, 11, 12, 13, 21, 22, 23, 100].map(ordinal).join(" ")).toBe(
    "first second tenth 11th 12th 13th 21st 22nd 23rd 100th",
  );
});

test("the announcer is there before it speaks, and speaks of stages", () => {
  const { rerender } = render(<Announcer />);
  const region = screen.getByRole("status");
  expect(region.textContent).toBe("");
  rerender(<Announcer story={story("building")} />);
  expect(screen.getByRole("status")).toBe(region);
  expect(region.textContent).toBe("The image is being built.");
  rerender(<Announcer story={story("failed", { message: "A step failed." })} />);
  expect(region.textContent).toBe("The build failed: A step failed.");
});

test("the announcer says what is said besides, and does not repeat itself after it", async () => {
  const { rerender } = render(<Announcer story={story("building")} />);
  const region = screen.getByRole("status");
  await vi.waitFor(() => {
    say("Copied");
    expect(region.textContent?.trim()).toBe("Copied");
  });
  const before = region.textContent;
  say("Copied");
  // another text, or it would not be spoken again
  await vi.waitFor(() => expect(region.textContent).not.toBe(before));
  expect(region.textContent?.trim()).toBe("Copied");
  rerender(<Announcer story={story("pushing")} />);
  expect(region.textContent).toBe("The image is being pushed.");
});

test("a failure shows its line and what may be done", () => {
  const log = new Log();
  log.append("fine");
  log.append("ERROR: failed to solve: exit code: 1");
  const show = vi.fn();
  const again = vi.fn();
  const anew = vi.fn();
  render(
    <Failure
      reason="build-failed"
      message="Pip failed."
      log={log}
      onRetry={again}
      onRebuild={anew}
      onShow={show}
    />,
  );
  expect(screen.getByRole("region").textContent).toContain("Pip failed.");
  expect(document.querySelector("code")?.textContent).toContain("ERROR: failed to solve");
  fireEvent.click(screen.getByText("Show it there"));
  expect(show).toHaveBeenCalledExactlyOnceWith(1);
  expect(screen.queryByText("Try again")).toBeNull();
  fireEvent.click(screen.getByText("Rebuild"));
  expect(anew).toHaveBeenCalledTimes(1);
  cleanup();
  render(<Failure reason="evicted" message="Gone." log={null} onRetry={again} />);
  fireEvent.click(screen.getByText("Try again"));
  expect(again).toHaveBeenCalledTimes(1);
});

test("a failure that nobody foresaw has advice too", () => {
  render(<Failure reason="made-up" message="Hm." log={null} />);
  expect(screen.getByRole("heading").textContent).not.toBe("");
});

test("copying asks for the text at the click and says what came of it", async () => {
  const written: string[] = [];
  const clipboard = { writeText: async (text: string) => void written.push(text) };
  vi.stubGlobal("navigator", { clipboard });
  let text = "early";
  render(<CopyButton text={() => text} />);
  text = "late";
  fireEvent.click(screen.getByRole("button"));
  expect(await screen.findByText("Copied")).toBeTruthy();
  expect(written).toEqual(["late"]);
});

test("without a clipboard the old way is taken, and the focus comes back", async () => {
  vi.stubGlobal("navigator", {});
  const copied: string[] = [];
  document.execCommand = () => {
    copied.push((document.activeElement as HTMLTextAreaElement).value);
    return true;
  };
  render(<CopyButton text="some" />);
  screen.getByRole("button").focus();
  fireEvent.click(screen.getByRole("button"));
  expect(await screen.findByText("Copied")).toBeTruthy();
  expect(copied).toEqual(["some"]);
  expect(document.activeElement).toBe(screen.getByRole("button"));
  expect(document.querySelector("textarea")).toBeNull();
});

test("the dialog asks, and Escape is no", () => {
  const yes = vi.fn();
  const no = vi.fn();
  const asked = (open: boolean) => (
    <Confirm open={open} title="Cancel?" confirm="Cancel the build" onConfirm={yes} onClose={no} />
  );
  const { rerender } = render(asked(false));
  const dialog = document.querySelector("dialog") as HTMLDialogElement;
  expect(dialog.open).toBe(false);
  rerender(asked(true));
  expect(dialog.open).toBe(true);
  fireEvent(dialog, new Event("cancel", { cancelable: true }));
  expect(no).toHaveBeenCalledTimes(1);
  fireEvent.click(screen.getByText("Cancel the build"));
  expect(yes).toHaveBeenCalledTimes(1);
  rerender(asked(false));
  expect(dialog.open).toBe(false);
});

test("how long ago goes on, and no date is nothing", () => {
  vi.useFakeTimers({ now: AT });
  const { container, rerender } = render(<Ago date={new Date(AT - 60_000).toISOString()} />);
  expect(container.textContent).toBe("1 min ago");
  act(() => void vi.advanceTimersByTime(120_000));
  expect(container.textContent).toBe("3 min ago");
  expect(container.querySelector("time")?.dateTime).toBe(new Date(AT - 60_000).toISOString());
  rerender(<Ago date={null} />);
  expect(container.textContent).toBe("");
  rerender(<Ago date="nonsense" />);
  expect(container.textContent).toBe("");
  vi.useRealTimers();
});
