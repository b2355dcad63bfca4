import type { HubForm, Place } from "./adapter.ts";

const OTHER = "unlisted_choice";
const UNLISTED = "--unlisted-choice";
const OURS = "Build from a repository";
/** Milliseconds that the form may take to show itself, or a choice. */
const PATIENCE = 15_000;

interface Profile {
  slug: string;
  profile_options?: Record<string, { unlisted_choice?: Unlisted }>;
}

interface Unlisted {
  enabled?: boolean;
  display_name_in_choices?: string;
}

/**
 * The form of jupyterhub-fancy-profiles 0.5 to 0.7: React, with react-select for lists.
 *
 * @param option the profile option that has the choice
 * @returns null where the page has no such form
 */
export async function fancyForm(page: Document, option: string): Promise<HubForm | null> {
  const profiles = (page.defaultView as unknown as { profileList?: unknown } | null)?.profileList;
  const root = page.getElementById("form");
  const element = root?.closest("form");
  if (!root || !element || !Array.isArray(profiles)) {
    return null;
  }
  const shown = await appears(root, () => element.querySelector("[name=profile]"), PATIENCE);
  return shown ? new FancyForm(element, option, profiles as Profile[]) : null;
}

class FancyForm implements HubForm {
  constructor(
    readonly element: HTMLFormElement,
    private readonly option: string,
    private readonly profiles: Profile[],
  ) {}

  offering(): string[] {
    return this.profiles.filter((each) => this.unlisted(each)?.enabled).map(({ slug }) => slug);
  }

  active(): Place | null {
    const profile = this.profiles.find(({ slug }) => slug === this.selected());
    const unlisted = profile && this.unlisted(profile);
    if (!profile || !unlisted?.enabled) {
      return null;
    }
    const input = this.byId<HTMLInputElement>(this.field(profile.slug) + UNLISTED);
    const row = input?.closest<HTMLElement>(".profile-option-container");
    const anchor = this.byId(`profile-${profile.slug}`);
    if (!input || !row || !anchor || !this.hasOurs(profile.slug)) {
      return null;
    }
    const shared = unlisted.display_name_in_choices !== OURS;
    return { profile: profile.slug, input, row, anchor, shared };
  }

  async choose(wanted: string | null): Promise<Place | null> {
    const offering = this.offering();
    const [profile] = [wanted, this.selected(), offering[0]].filter(
      (each) => typeof each === "string" && offering.includes(each),
    );
    if (!profile) {
      return null;
    }
    if (this.selected() !== profile) {
      this.byId(`profile-${profile}`)?.click();
      await appears(this.element, () => this.selected() === profile, PATIENCE);
    }
    if (this.active() === null) {
      await this.pick(profile);
    }
    return appears(this.element, () => this.active(), PATIENCE);
  }

  button(): HTMLElement | null {
    return this.element.querySelector<HTMLElement>("#submit-slot [type=submit]");
  }

  watch(changed: () => void): () => void {
    // a choice in the list is known by what it puts on the page
    const observer = new MutationObserver((records) => {
      if (records.some(({ target }) => !(target as Element).closest?.(".ib-root"))) {
        changed();
      }
    });
    const root = this.element.querySelector("#form") ?? this.element;
    observer.observe(root, {
      subtree: true,
      childList: true,
      attributes: true,
      attributeFilter: ["value", "checked"],
    });
    return () => observer.disconnect();
  }

  /** Open a list as a mouse does, and take our choice in it. */
  private async pick(profile: string): Promise<void> {
    const list = this.list(profile)?.parentElement;
    const control = list?.querySelector(".select__control");
    const label = this.unlisted(
      this.profiles.find(({ slug }) => slug === profile),
    )?.display_name_in_choices;
    if (!list || !control) {
      return;
    }
    control.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
    const ours = (): HTMLElement | undefined =>
      [...list.querySelectorAll<HTMLElement>(".select__option")].find(
        (each) => each.querySelector(".react-select-item-title")?.textContent === label,
      );
    (await appears(list, ours, PATIENCE))?.click();
  }

  private selected(): string | null {
    const radio = this.element.querySelector<HTMLInputElement>("input[name=profile]");
    return radio?.value ?? null;
  }

  private unlisted(profile: Profile | undefined): Unlisted | undefined {
    return profile?.profile_options?.[this.option]?.unlisted_choice;
  }

  private field(profile: string): string {
    return `profile-option-${profile}--${this.option}`;
  }

  /** The hidden field that a list keeps its value in; null where there is but one choice. */
  private list(profile: string): HTMLInputElement | null {
    const inputs = [...this.element.querySelectorAll<HTMLInputElement>("input[name]")];
    return inputs.find(({ name }) => name === this.field(profile)) ?? null;
  }

  private hasOurs(profile: string): boolean {
    return (this.list(profile)?.value ?? OTHER) === OTHER;
  }

  private byId<E extends HTMLElement>(id: string): E | null {
    return this.element.ownerDocument.getElementById(id) as E | null;
  }
}

/** What is looked for, as soon as the page has it; null: not in time. */
function appears<T>(root: Element, look: () => T | null | undefined | false, patience: number) {
  return new Promise<T | null>((resolve) => {
    const at = look();
    if (at) {
      resolve(at);
      return;
    }
    const done = (found: T | null): void => {
      observer.disconnect();
      clearTimeout(timer);
      resolve(found);
    };
    const observer = new MutationObserver(() => {
      const found = look();
      if (found) {
        done(found);
      }
    });
    observer.observe(root, { subtree: true, childList: true, attributes: true });
    const timer = setTimeout(() => done(null), patience);
  });
}
