import { fireEvent, screen, waitFor } from "@testing-library/preact";
import { act } from "preact/test-utils";
import { describe, expect, test } from "vitest";
import { choose, listOf, startButton, textOf } from "./fixtures/page.ts";
import { eachTest, field, page, REPO, sent, service, show, verdict } from "./fixtures/panel.tsx";
import { outlook } from "./fixtures/service.ts";

const OTHER = "unlisted-choice";

eachTest();

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
