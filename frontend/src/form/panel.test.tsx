import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/preact";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Controls } from "./controls.ts";
import { pageData } from "./data.ts";
import { choose, listOf, load, type Page, radioOf, startButton, textOf } from "./fixtures/page.ts";
import { build, COMMIT, FakeService, outlook, Refusal } from "./fixtures/service.ts";
import { Panel } from "./panel.tsx";
import { stockForm } from "./stock.ts";
import { keep, recall } from "./visit.ts";
import { type Draft, EMPTY } from "./wish.ts";

const REPO = "https://github.com/org/repo";
const OTHER = "unlisted-choice";

let page: Page;
let service: FakeService;
let controls: Controls;

beforeEach(() => {
  keep(null);
  service = new FakeService();
  page = load("several");
});

afterEach(() => {
  act(() => render(null, controls.host));
  controls.release();
  cleanup();
});

/** The panel as the page's script puts it there. */
async function show(
  draft: Partial<Draft> = {},
  viewer = "alice",
  profile: string | null = "small",
) {
  const form = stockForm(document, "image");
  const data = pageData(document);
  if (form === null || data === null) {
    throw new Error("the fixture has no form");
  }
  controls = new Controls(form);
  if (profile !== null) {
    await controls.choose(profile);
  }
  await act(() => {
    render(
      <Panel
        service={service.client}
        data={data}
        controls={controls}
        initial={{ ...EMPTY, ...draft }}
        viewer={viewer}
      />,
      controls.host,
    );
  });
}

const field = (name: string) => screen.getByRole("combobox", { name }) as HTMLInputElement;
const type = (text: string, name = "Repository") =>
  fireEvent.input(field(name), { target: { value: text } });
const verdict = async (text: string | RegExp) =>
  expect(await screen.findByText(text, { ignore: "script, .ib-offscreen" })).toBeTruthy();

function sent(name = `profile-option-small--image--unlisted-choice`): string | undefined {
  return page.sent.at(-1)?.find(([each]) => each === name)?.[1];
}

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

describe("the hub's button", () => {
  test("starts from an image that is there, at the commit that was shown", async () => {
    service.meaning = (text) => outlook(text, { cached: true });
    await show({ text: REPO, path: "intro.ipynb" });
    await verdict("Already built: starts at once.");
    expect(startButton().textContent).toBe("Start");
    startButton().click();
    await waitFor(() => expect(sent()).toBe(REPO));
    expect(sent("imagebuilder-commit")).toBe(COMMIT);
    expect(new URL(page.form.action).searchParams.get("next")).toBe(
      "/user/alice/lab/tree/intro.ipynb",
    );
    expect(service.calls("POST", "api/builds")).toHaveLength(0);
  });

  test("builds, shows it, and starts by itself when the image is ready", async () => {
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    expect(startButton().textContent).toBe("Build and start");
    startButton().click();
    await waitFor(() => expect(service.calls("POST", "api/builds")).toHaveLength(1));
    expect(service.calls("POST", "api/builds")[0]?.body).toEqual({
      repository: REPO,
      commit: COMMIT,
    });
    await screen.findByRole("list", { name: "Stages of the build" });
    expect(startButton().textContent).toBe("The server starts when the image is ready");
    expect(recall("alice", "")).toMatchObject({ build: "one", text: REPO, start: true });
    service.phase("one", "building", "Building the image");
    expect(page.sent).toHaveLength(0);
    service.phase("one", "built", "The image is there.");
    await waitFor(() => expect(sent()).toBe(REPO));
    expect(sent("imagebuilder-commit")).toBe(COMMIT);
    expect(page.sent).toHaveLength(1);
    expect(recall("alice", "")).toBeNull();
  });

  test("does what was clicked while the service was still being asked", async () => {
    await show();
    type(REPO);
    startButton().click();
    await waitFor(() => expect(startButton().textContent).toBe("Looking at the repository…"));
    await waitFor(() => expect(service.calls("POST", "api/builds")).toHaveLength(1));
  });

  test("only builds where the user wants to start later", async () => {
    await show({ text: REPO });
    const check = await screen.findByRole("checkbox", { name: /Start the server when/ });
    fireEvent.click(check);
    expect(startButton().textContent).toBe("Build");
    startButton().click();
    await waitFor(() => expect(service.calls("POST", "api/builds")).toHaveLength(1));
    await waitFor(() => expect(startButton().textContent).toBe("Start when the image is ready"));
    service.phase("one", "built", "The image is there.");
    await waitFor(() => expect(startButton().textContent).toBe("Start"));
    expect(page.sent).toHaveLength(0);
    startButton().click();
    await waitFor(() => expect(sent()).toBe(REPO));
  });

  test("does not start what somebody has turned away from", async () => {
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    startButton().click();
    await screen.findByRole("list", { name: "Stages of the build" });
    await act(() => choose(listOf("small"), "scipy"));
    service.phase("one", "built", "The image is there.");
    expect(startButton().textContent).toBe("Start");
    await new Promise((resolve) => setTimeout(resolve));
    expect(page.sent).toHaveLength(0);
  });

  test("asks for a text where there is none", async () => {
    await show();
    startButton().click();
    expect(document.activeElement).toBe(field("Repository"));
    expect(page.sent).toHaveLength(0);
  });

  test("says why a build did not begin", async () => {
    service.beginning = () => new Refusal(429, "quota", "The queue takes no more builds.");
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    startButton().click();
    await verdict("The queue takes no more builds.");
    expect(startButton().textContent).toBe("Build and start");
    type(`${REPO}@other`);
    expect(screen.queryByText("The queue takes no more builds.")).toBeNull();
  });

  test("tries again what could not be looked up", async () => {
    service.meaning = () => new Refusal(503, "provider-unavailable", "The host is away.");
    await show({ text: REPO });
    await verdict("The host is away.");
    service.meaning = (text) => outlook(text);
    startButton().click();
    await waitFor(() => expect(service.calls("POST", "api/builds")).toHaveLength(1));
  });

  test("is for whom the server is", async () => {
    await show({ text: REPO }, "admin");
    await verdict("Will be built, about 4 min.");
    expect(startButton().textContent).toBe("Build and start for alice");
  });

  test("lets the name of an image through where the field takes images", async () => {
    service.meaning = () => new Refusal(400, "spec-invalid", "This is not an address.");
    await show({}, "alice", "large");
    type("quay.io/jupyter/base:latest", "Repository or image");
    await waitFor(() => expect(service.calls("POST", "api/resolve")).toHaveLength(1));
    await waitFor(() => expect(startButton().textContent).toBe("Start"));
    await waitFor(() => expect(screen.queryByText("This is not an address.")).toBeNull());
    startButton().click();
    expect(sent("profile-option-large--image--unlisted-choice")).toBe(
      "quay.io/jupyter/base:latest",
    );
    expect(sent("imagebuilder-commit")).toBe("");
  });
});

describe("a build that ends badly", () => {
  test("says why, and is tried again from the hub's button", async () => {
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    startButton().click();
    await screen.findByRole("list", { name: "Stages of the build" });
    service.tell("one", { type: "log", text: "ERROR: no such package", phase: "building" });
    service.phase("one", "failed", "A step of the build failed.", "build-failed");
    await verdict("A step of the build failed.");
    expect(page.sent).toHaveLength(0);
    expect(startButton().textContent).toBe("Build again");
    service.beginning = () => service.add(build("two"));
    startButton().click();
    await waitFor(() => expect(service.calls("POST", "api/builds")).toHaveLength(2));
    service.phase("two", "built", "The image is there.");
    await waitFor(() => expect(sent()).toBe(REPO));
  });

  test("is cancelled after a question, and the fields come back", async () => {
    HTMLDialogElement.prototype.showModal ??= vi.fn(function (this: HTMLDialogElement) {
      this.open = true;
    });
    HTMLDialogElement.prototype.close ??= vi.fn(function (this: HTMLDialogElement) {
      this.open = false;
    });
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    startButton().click();
    fireEvent.click(await screen.findByRole("button", { name: "Cancel the build" }));
    const dialog = await screen.findByRole("dialog");
    fireEvent.click(within(dialog).getByRole("button", { name: "Cancel the build" }));
    await waitFor(() => expect(service.calls("POST", "api/builds/one/cancel")).toHaveLength(1));
    fireEvent.click(await screen.findByRole("button", { name: "Change" }));
    expect(field("Repository").value).toBe(REPO);
    expect(page.sent).toHaveLength(0);
  });
});

describe("a page that comes back", () => {
  const visit = {
    build: "one",
    text: `${REPO}@main`,
    start: true,
    path: "lab",
    content: false,
    profile: "large",
    user: "alice",
    server: "",
  };

  test("goes on where it was before a reload", async () => {
    service.add(build("one"));
    keep(visit);
    await show({}, "alice", null);
    await screen.findByRole("list", { name: "Stages of the build" });
    expect(radioOf("large").checked).toBe(true);
    service.phase("one", "built", "The image is there.");
    await waitFor(() =>
      expect(sent("profile-option-large--image--unlisted-choice")).toBe(`${REPO}@main`),
    );
    expect(new URL(page.form.action).searchParams.get("next")).toBe("/user/alice/lab");
  });

  test("has its fields filled in where the build is gone", async () => {
    keep(visit);
    await show({}, "alice", null);
    await waitFor(() => expect(recall("alice", "")).toBeNull());
    await waitFor(() => expect(field("Repository or image").value).toBe(`${REPO}@main`));
  });

  test("is not another server's", async () => {
    keep({ ...visit, server: "named" });
    expect(recall("alice", "")).toBeNull();
    expect(recall("bob", "named")).toBeNull();
    expect(recall("alice", "named")).toMatchObject({ build: "one" });
    await show();
  });

  test("offers a build that goes on, without starting from it by itself", async () => {
    service.add(build("old", { phase: "built" }));
    service.add(build("theirs", { mine: false }));
    service.add(build("one", { phase: "building" }));
    await show();
    fireEvent.click(await screen.findByRole("button", { name: "Show it" }));
    await screen.findByRole("list", { name: "Stages of the build" });
    service.phase("one", "built", "The image is there.");
    await waitFor(() => expect(startButton().textContent).toBe("Start"));
    expect(page.sent).toHaveLength(0);
  });
});

describe("the panel", () => {
  test("moves with the profile and keeps what is written", async () => {
    await show({ text: REPO });
    await verdict("Will be built, about 4 min.");
    await act(() => choose(listOf("large"), OTHER));
    expect(field("Repository or image").value).toBe(REPO);
    await waitFor(() => expect(textOf("large").value).toBe(REPO));
    expect(document.querySelectorAll(".ib-form")).toHaveLength(1);
  });

  test("offers what was asked for before", async () => {
    await show();
    await waitFor(() => expect(service.calls("GET", "api/repositories")).toHaveLength(1));
    fireEvent.click(field("Repository"));
    fireEvent.click(await screen.findByRole("option", { name: /org\/old@v2/ }));
    expect(field("Repository").value).toBe("https://github.com/org/old@v2");
  });

  test("asks nothing as long as nobody wants to build", async () => {
    await show({}, "alice", null);
    expect(service.asked).toEqual([]);
  });

  test("gives the text field back while the service is away, and the form works", async () => {
    service.away = true;
    await show({ text: REPO });
    await screen.findByRole("button", { name: "Try the image builder again" });
    expect(textOf("small").closest<HTMLElement>(".option")?.style.display).toBe("");
    expect(document.getElementById("imagebuilder-away")?.hidden).toBe(false);
    textOf("small").value = `${REPO}@other`;
    startButton().click();
    expect(sent()).toBe(`${REPO}@other`);
    service.away = false;
    fireEvent.click(screen.getByRole("button", { name: "Try the image builder again" }));
    await verdict("Will be built, about 4 min.");
    expect(field("Repository").value).toBe(`${REPO}@other`);
    expect(textOf("small").closest<HTMLElement>(".option")?.style.display).toBe("none");
  });

  test("puts the content into the home on request, by the page between", async () => {
    service.meaning = (text) => outlook(text, { cached: true });
    await show({ text: REPO });
    fireEvent.click(await screen.findByRole("checkbox", { name: /Put the repository's files/ }));
    await waitFor(() => expect(service.calls("GET", "api/refs")).toHaveLength(1));
    await waitFor(() => expect(field("Branch, tag or commit").placeholder).toBe("main (default)"));
    startButton().click();
    await waitFor(() => expect(page.sent).toHaveLength(1));
    const next = new URL(page.form.action).searchParams.get("next") ?? "";
    const url = new URL(next, "http://hub.test");
    expect(url.pathname).toBe("/services/imagebuilder/content");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      server: "/user/alice/",
      repo: REPO,
      branch: "main",
      urlpath: "lab/tree/repo",
    });
  });
});
