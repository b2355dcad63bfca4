/** Links into the form: what one brings, and how one is made. */

import type { Outlook } from "../core/api.ts";
import { badge, binderLink, formLink, fromFragment, type Wish } from "../core/links.ts";
import type { PageData } from "./data.ts";
import { inServer } from "./opening.ts";
import type { Draft } from "./wish.ts";

/** BinderHub's way to name a repository, which links have: `gh/org/repo/main`. */
const SPEC = /^[a-z][a-z0-9]*\//;

/** What a link brought. */
export interface Brought {
  draft: Draft;
  /** The profile's slug; null: whichever is selected. */
  profile: string | null;
}

/**
 * What the page's fragment asks for.
 *
 * It fills in the form; what is started, and whether, is for whoever sees it to say.
 *
 * @returns null: nothing
 */
export function brought(hash: string): Brought | null {
  const wish = fromFragment(hash);
  if (wish === null || wish.build.trim() === "") {
    return null;
  }
  const build = wish.build.trim();
  return {
    draft: {
      text: SPEC.test(build) ? `build:${build}` : build,
      ref: null,
      path: wish.path ?? "",
      content: wish.content ?? false,
      linked: true,
      given: true,
    },
    profile: wish.profile ?? null,
  };
}

/** What one gives to others. */
export interface Links {
  /** Fills in this form, profile included. */
  form: string;
  /** Leads anybody there, as a link of a Binder does. */
  binder: string;
  badge: { markdown: string; html: string; rst: string };
}

/**
 * The links to what is in the form.
 *
 * @param here the page's own address
 */
export function linksTo(
  data: PageData,
  known: Outlook,
  draft: Draft,
  profile: string,
  here: string,
): Links {
  const service = new URL(data.service, here).href;
  const path = inServer(draft.path) ?? "";
  const wish: Wish = {
    build: `${known.provider}/${known.spec}`,
    profile,
    ...(path === "" ? {} : { path }),
    ...(draft.content ? { content: true } : {}),
  };
  const binder = binderLink(service, known.provider, known.spec, wish.path, wish.content);
  return {
    form: formLink(new URL(data.hub, here).href, wish),
    binder,
    badge: badge(binder, service),
  };
}
