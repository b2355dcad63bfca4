import { act, cleanup, fireEvent, render, screen } from "@testing-library/preact";
import axe from "axe-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Log } from "../core/log.ts";
import { LogView } from "./log-view.tsx";

const HEIGHT = 100;
let content = 1000;

beforeEach(() => {
  content = 1000;
  vi.spyOn(HTMLElement.prototype, "scrollHeight", "get").mockImplementation(() => content);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(HEIGHT);
});
afterEach(cleanup);

function filled(...lines: string[]): Log {
  const log = new Log();
  for (const line of lines) {
    log.append(line);
  }
  return log;
}

function scroller(): HTMLElement {
  return screen.getByRole("region", { name: "Log of the build" });
}

function scrollTo(top: number): void {
  scroller().scrollTop = top;
  fireEvent.scroll(scroller());
}

test("it follows the end until one scrolls away, and again after the button", () => {
  const log = filled("one");
  const { rerender } = render(<LogView log={log} version={1} live={true} />);
  expect(scroller().scrollTop).toBe(1000);
  expect(screen.queryByText("Jump to the end")).toBeNull();
  scrollTo(900);
  scrollTo(300);
  log.append("two");
  content = 2000;
  rerender(<LogView log={log} version={2} live={true} />);
  expect(scroller().scrollTop).toBe(300);
  fireEvent.click(screen.getByText("Jump to the end"));
  expect(scroller().scrollTop).toBe(2000);
  expect(screen.queryByText("Jump to the end")).toBeNull();
  content = 3000;
  rerender(<LogView log={log} version={3} live={true} />);
  expect(scroller().scrollTop).toBe(3000);
});

test("lines that come while one has not scrolled are no sign that one has", () => {
  const { rerender } = render(<LogView log={filled("one")} version={1} live={true} />);
  content = 1500;
  fireEvent.scroll(scroller());
  rerender(<LogView log={filled("one", "two")} version={2} live={true} />);
  expect(scroller().scrollTop).toBe(1500);
});

test("what is found is counted, shown and gone through, around the ends", () => {
  render(<LogView log={filled("An error", "fine", "error again")} version={1} live={false} />);
  const field = screen.getByLabelText("Find in the log");
  fireEvent.input(field, { target: { value: "ERROR" } });
  expect(screen.getByText("1 of 2")).toBeTruthy();
  expect(document.querySelector(".ib-found")?.textContent).toBe("An error");
  fireEvent.keyDown(field, { key: "Enter" });
  expect(screen.getByText("2 of 2")).toBeTruthy();
  expect(document.querySelector(".ib-found")?.textContent).toBe("error again");
  fireEvent.keyDown(field, { key: "Enter" });
  expect(screen.getByText("1 of 2")).toBeTruthy();
  fireEvent.keyDown(field, { key: "Enter", shiftKey: true });
  expect(screen.getByText("2 of 2")).toBeTruthy();
  fireEvent.input(field, { target: { value: "nowhere" } });
  expect(screen.getByText("none")).toBeTruthy();
  fireEvent.keyDown(field, { key: "Escape" });
  expect(document.querySelector(".ib-found")).toBeNull();
});

test("Enter in the find field does not send the form around it", () => {
  const sent = vi.fn((event: Event) => event.preventDefault());
  render(
    <form onSubmit={sent}>
      <LogView log={filled("one")} version={1} live={false} />
    </form>,
  );
  const field = screen.getByLabelText("Find in the log");
  expect(fireEvent.keyDown(field, { key: "Enter" })).toBe(false);
  for (const button of screen.getAllByRole("button")) {
    fireEvent.click(button);
  }
  expect(sent).not.toHaveBeenCalled();
});

test("more is found while more comes", () => {
  vi.useFakeTimers();
  const log = filled("error");
  const { rerender } = render(<LogView log={log} version={1} live={true} />);
  fireEvent.input(screen.getByLabelText("Find in the log"), { target: { value: "error" } });
  log.append("another error");
  rerender(<LogView log={log} version={2} live={true} />);
  act(() => void vi.advanceTimersByTime(300));
  expect(screen.getByText("1 of 2")).toBeTruthy();
  vi.useRealTimers();
});

test("the culprit is marked when it becomes known, and the end is not kept to any more", () => {
  const log = filled("one", "ERROR", "three");
  const { rerender } = render(<LogView log={log} version={1} live={true} />);
  rerender(<LogView log={log} version={2} live={false} culprit={1} />);
  expect(document.querySelector(".ib-culprit")?.textContent).toBe("ERROR");
  content = 5000;
  rerender(<LogView log={log} version={3} live={false} culprit={1} />);
  expect(scroller().scrollTop).toBe(1000);
  expect(screen.getByText("Jump to the end")).toBeTruthy();
});

test("another log takes the place of the first", () => {
  const { rerender } = render(<LogView log={filled("one")} version={1} live={true} />);
  rerender(<LogView log={filled("two")} version={1} live={true} />);
  expect([...document.querySelectorAll(".ib-line")].map((line) => line.textContent)).toEqual([
    "two",
  ]);
});

test("an empty log says why it is empty", () => {
  const { rerender } = render(<LogView log={new Log()} version={1} live={true} />);
  expect(screen.getByText("Nothing was printed yet.")).toBeTruthy();
  rerender(<LogView log={new Log()} version={1} live={false} />);
  expect(screen.getByText(/nothing was kept/)).toBeTruthy();
});

test("lines are not spoken, and axe has nothing to say", async () => {
  render(<LogView log={filled("one")} version={1} live={true} onDownload={() => undefined} />);
  expect(scroller().closest("[aria-live], [role=log], [role=status]")).toBeNull();
  const { violations } = await axe.run(document.body, {
    // of a part of a page, and of colours that there are none of here (see contrast.test.ts)
    rules: { region: { enabled: false }, "color-contrast": { enabled: false } },
  });
  expect(violations.map(({ id }) => id)).toEqual([]);
});
