/** What the service puts into its pages. */

export type PageName = "images" | "build" | "admin" | "link" | "content";

/** The page's data; see `jupyterhub_imagebuilder/web/pages.py`. */
export interface Page {
  page: PageName;
  /** Paths, or addresses with an origin; they end with a slash. */
  service: string;
  hub: string;
  user: { name: string; admin: boolean };
  xsrf: string;
  /** The build that the page is about. */
  build: string | null;
  version: string;
}

/** The data of this page; null where there are none that can be read. */
export function pageOf(page: Document): Page | null {
  const text = page.getElementById("imagebuilder-page")?.textContent;
  if (!text) {
    return null;
  }
  try {
    return JSON.parse(text) as Page;
  } catch {
    return null;
  }
}

/** The address of a build's own page. */
export function buildAddress({ service }: Pick<Page, "service">, id: string): string {
  return `${service}builds/${encodeURIComponent(id)}`;
}

/** An address that others can open, too. */
export function absolute(address: string): string {
  return new URL(address, location.href).href;
}
