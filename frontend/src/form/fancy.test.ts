import { afterEach, describe, expect, test, vi } from "vitest";
import { Controls } from "./controls.ts";
import { fancyForm } from "./fancy.ts";
import { loadFancy } from "./fixtures/fancy.ts";

const OURS = "Build from a repository";
const PROFILES = [
  { slug: "small", choices: ["SciPy"], text: OURS },
  { slug: "plain", choices: ["SciPy"], text: null },
  { slug: "large", choices: ["SciPy"], text: `Another image, or: ${OURS}` },
];

afterEach(() => {
  delete (window as unknown as { profileList?: unknown }).profileList;
  document.body.innerHTML = "";
});

describe("fancy-profiles' form", () => {
  test("is waited for, and only where its page is there", async () => {
    expect(await fancyForm(document, "image")).toBeNull();
    loadFancy(PROFILES, 20);
    const form = await fancyForm(document, "image");
    expect(form?.offering()).toEqual(["small", "large"]);
    expect(form?.active()).toBeNull();
  });

  test("is given the choice as by mouse", async () => {
    loadFancy(PROFILES);
    const form = await fancyForm(document, "image");
    const place = await form?.choose(null);
    expect(place).toMatchObject({ profile: "small", shared: false });
    expect(place?.input.id).toBe("profile-option-small--image--unlisted-choice");
    expect(place?.anchor.id).toBe("profile-small");
    expect(await form?.choose("large")).toMatchObject({ profile: "large", shared: true });
    expect(form?.active()?.profile).toBe("large");
    expect(await form?.choose("no such")).toMatchObject({ profile: "large" });
  });

  test("has the panel where the choice is, and its own button", async () => {
    const element = loadFancy(PROFILES);
    const form = await fancyForm(document, "image");
    if (form === null) {
      throw new Error("the form was not found");
    }
    const sent = vi.fn((event: Event) => event.preventDefault());
    element.addEventListener("submit", sent);
    const controls = new Controls(form);
    await controls.choose("large");
    expect(document.querySelector("#profile-large + .ib-form")).toBe(controls.host);
    const typed: string[] = [];
    controls.active?.input.addEventListener("input", (event) => {
      typed.push((event.target as HTMLInputElement).value);
    });
    controls.write("https://h.test/r", null);
    expect(typed).toEqual(["https://h.test/r"]);
    controls.label("Build and start");
    expect(form.button()?.textContent).toBe("Build and start");
    controls.onStart = () => true;
    form.button()?.click();
    expect(sent).not.toHaveBeenCalled();
    controls.submit();
    await vi.waitFor(() => expect(sent).toHaveBeenCalledTimes(1));
    document.getElementById("profile-plain")?.click();
    await vi.waitFor(() => expect(controls.host.isConnected).toBe(false));
    controls.release();
  });
});
