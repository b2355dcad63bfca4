import { type HubForm, type Place, write } from "./adapter.ts";

const COMMIT = "imagebuilder-commit";
const AWAY = "imagebuilder-away";
const WITH_PANEL = "ib-with-panel";

/**
 * The hub's form as the panel has it in its hands.
 *
 * Everything it changes on the page is undone by `release`: without a panel, the form is the hub's.
 */
export class Controls {
  /** What the panel is rendered into; it moves to the profile that is selected. */
  readonly host: HTMLElement;
  /** Told of each click on the hub's button; true: the panel takes it from here. */
  onStart: () => boolean = () => false;

  private readonly commit: HTMLInputElement;
  private readonly listeners = new Set<(place: Place | null) => void>();
  private readonly stop: () => void;
  private place: Place | null = null;
  private going = false;
  private own: string | null = null;
  private readonly labels = new WeakMap<HTMLElement, string>();

  constructor(readonly form: HubForm) {
    const page = form.element.ownerDocument;
    this.host = page.createElement("div");
    this.host.className = "ib-form ib-root";
    this.commit = page.createElement("input");
    this.commit.type = "hidden";
    this.commit.name = COMMIT;
    // or Firefox fills in what the page had before a reload
    this.commit.autocomplete = "off";
    form.element.append(this.commit);
    for (const type of ["click", "submit"]) {
      form.element.addEventListener(type, this.intercept, true);
    }
    page.defaultView?.addEventListener("pageshow", this.cameBack);
    this.stop = form.watch(() => this.look());
    this.look();
  }

  get active(): Place | null {
    return this.place;
  }

  /** Calls back when the choice to build moved, came or went. */
  follow(listener: (place: Place | null) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Select the choice to build, as a link or a resumed build asks for. */
  async choose(profile: string | null): Promise<Place | null> {
    await this.form.choose(profile);
    this.look();
    return this.place;
  }

  /** Set what will be submitted; the commit only for a text that came to mean it. */
  write(text: string, commit: string | null): void {
    if (this.place) {
      write(this.place.input, text);
    }
    this.commit.value = commit ?? "";
  }

  /** Whether everything else in the form is filled in; says on the page what is not. */
  complete(): boolean {
    const others = [...this.form.element.elements].filter(
      (each): each is HTMLInputElement =>
        "reportValidity" in each && each !== this.place?.input && !this.host.contains(each),
    );
    return others.every((each) => each.reportValidity());
  }

  /**
   * Where the user lands when the server is there.
   *
   * @param address null: where the hub has it
   */
  next(address: string | null): void {
    const { element } = this.form;
    this.own ??= element.getAttribute("action") ?? "";
    const url = new URL(this.own || element.baseURI, element.baseURI);
    if (address !== null) {
      url.searchParams.set("next", address);
    }
    element.setAttribute("action", address === null ? this.own : url.href);
  }

  /**
   * Drop a `next` of the page's own that leads to a certain path.
   *
   * The service's links bring one, for users whose server runs already; JupyterHub copies it into
   * the form, whose users would land there after the start, too.
   */
  forget(path: string): void {
    const { element } = this.form;
    const url = new URL(element.action, element.baseURI);
    const next = url.searchParams.get("next");
    if (next !== null && new URL(next, element.baseURI).pathname.startsWith(path)) {
      url.searchParams.delete("next");
      element.setAttribute("action", url.href);
    }
  }

  /**
   * Say on the hub's button what it does now.
   *
   * @param text null: what the hub wrote there
   * @param waiting whether there is nothing to click just now
   */
  label(text: string | null, waiting = false): void {
    const button = this.form.button();
    if (!button || (text !== null && !this.place)) {
      return;
    }
    const own = this.labels.get(button) ?? labelOf(button);
    this.labels.set(button, own);
    setLabel(button, text ?? own);
    // it keeps the focus that a click gave it, unlike a disabled one
    waiting
      ? button.setAttribute("aria-disabled", "true")
      : button.removeAttribute("aria-disabled");
  }

  /** Send the form, through everything that the hub's page does at that. */
  submit(): void {
    // not within the click that led here: a button ignores a second one while it is in the first
    setTimeout(() => {
      this.going = true;
      this.form.button()?.click();
      this.going = false;
    });
  }

  /** Give the text field back, or take it away again; with the line that says why. */
  standBack(away: boolean): void {
    if (this.place) {
      show(this.place.row, away);
    }
    const line = this.form.element.ownerDocument.getElementById(AWAY);
    if (line) {
      line.hidden = !away;
    }
  }

  /** Leave the page as the hub made it. */
  release(): void {
    this.stop();
    this.form.element.ownerDocument.defaultView?.removeEventListener("pageshow", this.cameBack);
    for (const type of ["click", "submit"]) {
      this.form.element.removeEventListener(type, this.intercept, true);
    }
    this.label(null);
    if (this.own !== null) {
      this.next(null);
    }
    this.leave();
    this.commit.remove();
  }

  private readonly intercept = (event: Event): void => {
    if (this.going || !this.place) {
      return;
    }
    const target = event.target as Element | null;
    if (event.type === "click" && !target?.closest("[type=submit]")) {
      return;
    }
    if (this.onStart()) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };

  private readonly cameBack = (event: PageTransitionEvent): void => {
    if (event.persisted) {
      // the browser kept the page as it was when the form went off, the hub's spinner included
      this.form.element.ownerDocument.location.reload();
    }
  };

  private look(): void {
    const place = this.form.active();
    const same = place?.input === this.place?.input;
    if (same && (place === null || this.host.isConnected)) {
      return;
    }
    this.leave();
    this.place = place;
    if (place) {
      show(place.row, false);
      place.anchor.classList.add(WITH_PANEL);
      place.anchor.after(this.host);
    } else {
      this.commit.value = "";
      this.label(null);
    }
    for (const listener of this.listeners) {
      listener(place);
    }
  }

  private leave(): void {
    if (this.place) {
      show(this.place.row, true);
      this.place.anchor.classList.remove(WITH_PANEL);
    }
    this.host.remove();
    this.place = null;
  }
}

/** By the element's own style: the form's sheets outdo the `hidden` attribute. */
function show(row: HTMLElement, visible: boolean): void {
  if (visible) {
    row.style.removeProperty("display");
  } else {
    row.style.setProperty("display", "none");
  }
}

function labelOf(button: HTMLElement): string {
  return button instanceof HTMLInputElement ? button.value : (button.textContent ?? "");
}

function setLabel(button: HTMLElement, text: string): void {
  if (labelOf(button) === text) {
    return;
  }
  if (button instanceof HTMLInputElement) {
    button.value = text;
  } else if (button.firstChild?.nodeType === Node.TEXT_NODE) {
    // the node stays the one that React knows
    button.firstChild.nodeValue = text;
  } else {
    button.textContent = text;
  }
}
