/** What the hub puts into the page for the form. */

/** The hub's page data, behind the form: see `jupyterhub_imagebuilder/hub`. */
export interface PageData {
  /** The service's address, with its origin where that is another one. */
  service: string;
  service_name: string;
  /** Whom the server is for. */
  user: string;
  /** The server's name; empty is the default one. */
  server: string;
  /** The profile option that has the choice to build. */
  option: string;
  /** What the text field begins with. */
  prefill: string;
  /** Where the server will be. */
  server_url: string;
  hub: string;
  /** The page that puts a repository's content into the home; null: there is none. */
  content?: string | null;
}

/** What JupyterHub itself tells its pages. */
export interface HubData {
  user?: string;
  xsrf_token?: string;
  base_url?: string;
}

const TEXTS = [
  "service",
  "service_name",
  "user",
  "server",
  "option",
  "prefill",
  "server_url",
  "hub",
] as const;

/** The page's data; null where it is not of the form above. */
export function pageData(page: Document): PageData | null {
  const text = page.getElementById("imagebuilder-form")?.textContent;
  if (!text) {
    return null;
  }
  try {
    const data = JSON.parse(text) as Record<string, unknown>;
    return TEXTS.every((name) => typeof data[name] === "string")
      ? (data as unknown as PageData)
      : null;
  } catch {
    return null;
  }
}

/** JupyterHub's own data of the page. */
export function hubData(page: Window): HubData {
  return (page as unknown as { jhdata?: HubData }).jhdata ?? {};
}
