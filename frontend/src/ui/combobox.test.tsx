import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { useState } from "preact/hooks";
import { afterEach, expect, test, vi } from "vitest";
import { Combobox, type Option } from "./combobox.tsx";

const REFS: Option[] = [
  { value: "main", detail: "default" },
  { value: "develop" },
  { value: "v1.0", label: "v1.0 (tag)" },
];
const picked = vi.fn();
const entered = vi.fn();

function Field(more: Partial<Parameters<typeof Combobox>[0]>) {
  const [value, setValue] = useState("");
  return (
    <Combobox
      label="Branch"
      value={value}
      onInput={setValue}
      options={REFS}
      onPick={(option) => {
        picked(option.value);
        setValue(option.value);
      }}
      {...more}
    />
  );
}

function field(): HTMLInputElement {
  return screen.getByRole("combobox");
}

function marked(): string | null | undefined {
  const id = field().getAttribute("aria-activedescendant");
  return id === null ? null : document.getElementById(id)?.querySelector("span")?.textContent;
}

afterEach(() => {
  cleanup();
  picked.mockClear();
  entered.mockClear();
});

test("arrows open the list and move in it, around by what was typed", async () => {
  const user = userEvent.setup();
  render(<Field />);
  await user.tab();
  expect(field().getAttribute("aria-expanded")).toBe("false");
  await user.keyboard("{ArrowDown}");
  expect(field().getAttribute("aria-expanded")).toBe("true");
  expect(marked()).toBe("main");
  await user.keyboard("{ArrowDown}{ArrowDown}");
  expect(marked()).toBe("v1.0 (tag)");
  await user.keyboard("{ArrowDown}");
  expect(marked()).toBeNull();
  await user.keyboard("{ArrowDown}");
  expect(marked()).toBe("main");
  await user.keyboard("{ArrowUp}{ArrowUp}");
  expect(marked()).toBe("v1.0 (tag)");
  expect(document.activeElement).toBe(field());
});

test("Enter takes what is marked and sends nothing", async () => {
  const user = userEvent.setup();
  const sent = vi.fn((event: Event) => event.preventDefault());
  render(
    <form onSubmit={sent}>
      <Field />
    </form>,
  );
  await user.tab();
  await user.keyboard("{ArrowDown}{ArrowDown}{Enter}");
  expect(picked).toHaveBeenCalledExactlyOnceWith("develop");
  expect(field().value).toBe("develop");
  expect(field().getAttribute("aria-expanded")).toBe("false");
  expect(sent).not.toHaveBeenCalled();
});

test("Enter with nothing marked is its owner's", async () => {
  const user = userEvent.setup();
  render(<Field onEnter={entered} />);
  await user.type(field(), "mai{Enter}");
  expect(entered).toHaveBeenCalledTimes(1);
  expect(picked).not.toHaveBeenCalled();
  expect(field().value).toBe("mai");
});

test("Escape closes the list, keeps the text and goes no further", async () => {
  const user = userEvent.setup();
  const further = vi.fn();
  document.body.addEventListener("keydown", further);
  render(<Field />);
  await user.type(field(), "ma");
  expect(screen.getAllByRole("option")).toHaveLength(1);
  further.mockClear();
  await user.keyboard("{Escape}");
  expect(field().getAttribute("aria-expanded")).toBe("false");
  expect(field().value).toBe("ma");
  expect(further).not.toHaveBeenCalled();
  await user.keyboard("{Escape}");
  expect(further).toHaveBeenCalledTimes(1);
  document.body.removeEventListener("keydown", further);
});

test("a click takes an option, and the field keeps the focus", async () => {
  const user = userEvent.setup();
  render(<Field />);
  await user.click(field());
  await user.click(screen.getByRole("option", { name: /develop/ }));
  expect(picked).toHaveBeenCalledExactlyOnceWith("develop");
  expect(document.activeElement).toBe(field());
});

test("typing narrows the list; what was chosen hides nothing", async () => {
  const user = userEvent.setup();
  render(<Field />);
  await user.type(field(), "TAG");
  expect(screen.getAllByRole("option").map((option) => option.textContent)).toEqual(["v1.0 (tag)"]);
  await user.keyboard("{ArrowDown}{Enter}{ArrowDown}");
  expect(field().value).toBe("v1.0");
  expect(screen.getAllByRole("option")).toHaveLength(3);
});

test("options that fit already are not narrowed", async () => {
  const user = userEvent.setup();
  render(<Field filter={false} />);
  await user.type(field(), "zzz");
  expect(screen.getAllByRole("option")).toHaveLength(3);
});

test("nothing to offer opens nothing, and leaving the field closes the list", async () => {
  const user = userEvent.setup();
  const { rerender } = render(<Field options={[]} />);
  await user.type(field(), "x");
  expect(field().getAttribute("aria-expanded")).toBe("false");
  rerender(<Field filter={false} />);
  expect(field().getAttribute("aria-expanded")).toBe("true");
  await user.tab();
  expect(field().getAttribute("aria-expanded")).toBe("false");
});

test("keys that an input method needs are left to it", () => {
  render(<Field />);
  fireEvent.keyDown(field(), { key: "ArrowDown", isComposing: true });
  expect(field().getAttribute("aria-expanded")).toBe("false");
});

test("of very many some are shown, and how many more there are", async () => {
  const user = userEvent.setup();
  const many = Array.from({ length: 250 }, (_, at) => ({ value: `tag-${at}` }));
  render(<Field options={many} />);
  await user.click(field());
  expect(screen.getAllByRole("option")).toHaveLength(100);
  expect(screen.getByText("150 more: type to find them.")).toBeTruthy();
});

test("hint and error describe the field, open or closed axe has nothing to say", async () => {
  const user = userEvent.setup();
  render(<Field hint="Empty: the default." error="There is none." />);
  const described = (field().getAttribute("aria-describedby") ?? "")
    .split(" ")
    .map((id) => document.getElementById(id)?.textContent);
  expect(described).toEqual(["Empty: the default.", "There is none."]);
  expect(field().getAttribute("aria-invalid")).toBe("true");
  await user.keyboard("{Tab}{ArrowDown}");
  const { violations } = await axe.run(document.body, {
    // of a part of a page, and of colours that there are none of here (see contrast.test.ts)
    rules: { region: { enabled: false }, "color-contrast": { enabled: false } },
  });
  expect(violations.map(({ id }) => id)).toEqual([]);
});
