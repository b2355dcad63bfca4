import { fireEvent, screen, waitFor } from "@testing-library/preact";
import { describe, expect, test } from "vitest";
import { startButton, textOf } from "./fixtures/page.ts";
import { eachTest, field, page, REPO, service, show, type, verdict } from "./fixtures/panel.tsx";
import { COMMIT, outlook, Refusal } from "./fixtures/service.ts";

eachTest();

describe("what will be built", () => {
  test("is shown as soon as the text means something", async () => {
    await show();
    type(REPO);
    await verdict("Will be built, about 4 min.");
    await verdict("Say what is new");
    await verdict(COMMIT.slice(0, 7));
    expect(service.calls("POST", "api/resolve").map(({ body }) => body)).toEqual([
      { repository: REPO },
    ]);
  });

  test("is asked once for what is typed fast, and the last answer stays while it is asked", async () => {
    await show();
    type("https://github.com/o");
    type("https://github.com/org");
    type(REPO);
    await verdict("Will be built, about 4 min.");
    expect(service.calls("POST", "api/resolve")).toHaveLength(1);
    service.meaning = (text) => outlook(text, { cached: true });
    type(`${REPO}@v1`);
    await verdict("Will be built, about 4 min.");
    await verdict("Already built: starts at once.");
  });

  test("is refused beside the field, in the service's sentence", async () => {
    service.meaning = () => new Refusal(400, "spec-invalid", "This is not an address.");
    await show();
    type("nonsense");
    await verdict("This is not an address.");
    expect(field("Repository").getAttribute("aria-invalid")).toBe("true");
    startButton().click();
    await waitFor(() => expect(service.calls("POST", "api/resolve")).toHaveLength(2));
    expect(page.sent).toHaveLength(0);
  });

  test("says what limits do to it", async () => {
    const limits = outlook(REPO).limits;
    service.meaning = (text) =>
      outlook(text, { limits: { ...limits, user: { limit: 1, used: 1 } } });
    await show({ text: REPO });
    await verdict(/You may have 1 build running at once/);
  });

  test("is warned of where a link brought what nobody here has used", async () => {
    service.meaning = (text) => outlook(text, { familiar: false });
    await show({ text: REPO, linked: true });
    await verdict("Code of somebody else.");
    type(`${REPO}@main`);
    await waitFor(() => expect(screen.queryByText("Code of somebody else.")).toBeNull());
  });

  test("spells a link's short form out, and starts nothing by itself", async () => {
    service.meaning = (text) =>
      text.startsWith("build:")
        ? outlook(`${REPO}@main`, { cached: true })
        : outlook(text, { cached: true });
    await show({ text: "build:gh/org/repo/main", linked: true, given: true });
    await waitFor(() => expect(field("Repository").value).toBe(REPO));
    expect(field("Branch, tag or commit").value).toBe("main");
    await verdict("Already built: starts at once.");
    expect(page.sent).toHaveLength(0);
    expect(service.calls("POST", "api/builds")).toHaveLength(0);
  });
});

test("a dataset's link stays as it is: its version is no ref", async () => {
  service.meaning = (text) =>
    outlook(text, {
      provider: "zenodo",
      spec: "10.5281/zenodo.1",
      repository: "https://doi.org/10.5281/zenodo.1",
      ref: "10.5281/zenodo.1",
    });
  await show({ text: "build:zenodo/10.5281/zenodo.1", linked: true, given: true });
  await verdict("Will be built, about 4 min.");
  await waitFor(() => expect(service.calls("GET", "api/providers")).toHaveLength(1));
  expect(field("Repository").value).toBe("build:zenodo/10.5281/zenodo.1");
  expect(screen.queryByRole("combobox", { name: "Branch, tag or commit" })).toBeNull();
});

describe("refs", () => {
  test("are offered, and what is taken goes behind the repository", async () => {
    await show({ text: REPO });
    const ref = await screen.findByRole("combobox", { name: "Branch, tag or commit" });
    await waitFor(() => expect(ref.getAttribute("placeholder")).toBe("main (default)"));
    fireEvent.input(ref, { target: { value: "v1" } });
    await waitFor(() =>
      expect(service.calls("POST", "api/resolve").at(-1)?.body).toEqual({
        repository: `${REPO}@v1`,
      }),
    );
    await waitFor(() => expect(textOf("small").value).toBe(`${REPO}@v1`));
    expect(field("Repository").value).toBe(REPO);
  });

  test("that do not exist are refused beside their own field, which stays", async () => {
    service.meaning = (text) =>
      text.includes("@no")
        ? new Refusal(404, "ref-not-found", "There is no such ref.")
        : outlook(text);
    await show({ text: REPO });
    const ref = await screen.findByRole("combobox", { name: "Branch, tag or commit" });
    fireEvent.input(ref, { target: { value: "no" } });
    await verdict("There is no such ref.");
    expect(field("Branch, tag or commit").getAttribute("aria-invalid")).toBe("true");
    expect(field("Repository").getAttribute("aria-invalid")).toBeNull();
  });

  test("are gone with their repository", async () => {
    service.meaning = (text) =>
      text === "nonsense" ? new Refusal(400, "spec-invalid", "This is no address.") : outlook(text);
    await show({ text: `${REPO}@v1` });
    expect(
      ((await screen.findByRole("combobox", { name: "Branch, tag or commit" })) as HTMLInputElement)
        .value,
    ).toBe("v1");
    type("nonsense");
    await verdict("This is no address.");
    expect(screen.queryByRole("combobox", { name: "Branch, tag or commit" })).toBeNull();
  });

  test("stay when one that was pasted with its repository is replaced by a wrong one", async () => {
    service.meaning = (text) =>
      text.includes("@no")
        ? new Refusal(404, "ref-not-found", "There is no such ref.")
        : outlook(text);
    await show({ text: `${REPO}@v1` });
    const ref = await screen.findByRole("combobox", { name: "Branch, tag or commit" });
    await waitFor(() => expect((ref as HTMLInputElement).disabled).toBe(false));
    fireEvent.input(ref, { target: { value: "no" } });
    await verdict("There is no such ref.");
    expect(field("Repository").value).toBe(REPO);
    expect(field("Branch, tag or commit").value).toBe("no");
  });
});
