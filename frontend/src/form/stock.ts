import type { HubForm, Place } from "./adapter.ts";

const OTHER = "unlisted-choice";
const UNLISTED = `--${OTHER}`;
/** What the choice is called where its text is only for repositories. */
const OURS = "Build from a repository";

/**
 * KubeSpawner's own form (`kubespawner/templates/form.html`), and templates made after it.
 *
 * @param option the profile option that has the choice
 * @returns null where the page has no such form
 */
export function stockForm(page: Document, option: string): HubForm | null {
  const inputs = () =>
    [...page.querySelectorAll<HTMLInputElement>("form input[id]")].filter(({ id }) =>
      id.endsWith(`--${option}${UNLISTED}`),
    );
  const element = inputs()[0]?.form;
  return element ? new StockForm(element, option, inputs) : null;
}

class StockForm implements HubForm {
  constructor(
    readonly element: HTMLFormElement,
    private readonly option: string,
    private readonly inputs: () => HTMLInputElement[],
  ) {}

  offering(): string[] {
    return this.places().map(({ place }) => place.profile);
  }

  active(): Place | null {
    const found = this.places().find(
      ({ select, radio }) => (radio?.checked ?? true) && (select?.value ?? OTHER) === OTHER,
    );
    return found?.place ?? null;
  }

  async choose(profile: string | null): Promise<Place | null> {
    const places = this.places();
    const found =
      (profile === null ? undefined : places.find(({ place }) => place.profile === profile)) ??
      places.find(({ radio }) => radio?.checked) ??
      places[0];
    if (!found) {
      return null;
    }
    const { radio, select, place } = found;
    if (radio && !radio.checked) {
      radio.checked = true;
      radio.dispatchEvent(new Event("change", { bubbles: true }));
    }
    if (select && select.value !== OTHER) {
      select.value = OTHER;
      // the form's own script moves the name from the list to the text field
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
    return place;
  }

  button(): HTMLElement | null {
    return (
      this.element.querySelector<HTMLElement>(".feedback-container [type=submit]") ??
      this.element.querySelector<HTMLElement>("[type=submit]")
    );
  }

  watch(changed: () => void): () => void {
    const listener = (event: Event): void => {
      this.followKeyboard(event.target);
      changed();
    };
    this.element.addEventListener("change", listener);
    // a click on a list selects its profile, which is no change of a field
    this.element.addEventListener("click", changed);
    return () => {
      this.element.removeEventListener("change", listener);
      this.element.removeEventListener("click", changed);
    };
  }

  /** Who makes the choice in a list by keyboard means its profile, as who clicks there does. */
  private followKeyboard(target: EventTarget | null): void {
    const found = this.places().find(({ select }) => select !== null && select === target);
    if (found?.select?.value === OTHER && found.radio && !found.radio.checked) {
      found.radio.checked = true;
    }
  }

  private places() {
    return this.inputs().map((input) => {
      const id = input.id.slice(0, -UNLISTED.length);
      const profile = id.slice("profile-option-".length, -`--${this.option}`.length);
      const list = this.element.ownerDocument.getElementById(id);
      const select = list instanceof HTMLSelectElement ? list : null;
      const radios = this.element.querySelectorAll<HTMLInputElement>(
        "input[type=radio][name=profile]",
      );
      const radio = [...radios].find((each) => each.value === profile) ?? null;
      const row = input.closest<HTMLElement>(".js-other-input-container") ?? input;
      const anchor = row.closest<HTMLElement>("label") ?? row;
      const label = select?.querySelector(`option[value="${OTHER}"]`)?.textContent?.trim();
      const shared = label !== undefined && label !== OURS;
      return { select, radio, place: { profile, input, row, anchor, shared } };
    });
  }
}
