import { fireEvent, screen, waitFor, within } from "@testing-library/preact";
import { act } from "preact/test-utils";
import { describe, expect, test, vi } from "vitest";
import { choose, listOf, radioOf, startButton } from "./fixtures/page.ts";
import {
  eachTest,
  field,
  page,
  REPO,
  sent,
  service,
  show,
  type,
  verdict,
} from "./fixtures/panel.tsx";
import { build, COMMIT, outlook, Refusal } from "./fixtures/service.ts";
import { keep, recall } from "./visit.ts";

eachTest();

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
