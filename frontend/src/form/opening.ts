/** Where a user lands in the server.  Pure. */

import { safePath } from "../core/links.ts";
import type { PageData } from "./data.ts";

/** Addresses of a server behind which a file's path follows. */
const WITH_FILE = /^(lab\/tree|doc\/tree|tree|notebooks|edit|view|files|voila\/render)(\/|$)/;
const FILE = /\.[A-Za-z][A-Za-z0-9]{0,9}$/;
/** A base that no server has. */
const NOWHERE = "http://nowhere.invalid/";

/** A repository whose content is to be in the home. */
export interface Content {
  /** What `git clone` takes. */
  repository: string;
  /** Null: the default branch, or nobody knows. */
  branch: string | null;
}

/**
 * What a user wrote as the path to open, as an address inside the server.
 *
 * @param text `analysis/intro.ipynb`, or an address such as `lab/tree/intro.ipynb` or `rstudio`
 * @returns without a slash before it, escaped; null where there is none, or it leads elsewhere
 */
export function inServer(text: string): string | null {
  const path = safePath(text.trim());
  if (!path) {
    return null;
  }
  const url = new URL(NOWHERE + path);
  const inside = url.pathname.slice(1);
  const isFile = !WITH_FILE.test(inside) && FILE.test(inside) && url.search === "";
  return (isFile ? "lab/tree/" : "") + inside + url.search + url.hash || null;
}

/**
 * The hub's `next`: where the browser goes when the server is there.
 *
 * @param text as `inServer` takes it
 * @param content null: nothing is put into the home
 * @returns null: where the hub has it
 */
export function nextOf(data: PageData, text: string, content: Content | null): string | null {
  const path = inServer(text);
  if (content === null || !data.content) {
    return path === null ? null : data.server_url + path;
  }
  const query = new URLSearchParams({
    server: data.server_url,
    repo: content.repository,
    urlpath: inDirectory(path, directoryOf(content.repository)),
  });
  if (content.branch !== null) {
    query.set("branch", content.branch);
  }
  return `${data.content}?${query}`;
}

/** Where `git clone` puts a repository. */
function directoryOf(repository: string): string {
  const last = repository.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return last.replace(/\.git$/, "");
}

/** Links speak of files from the repository's own top; in the home it is one directory deeper. */
function inDirectory(path: string | null, directory: string): string {
  if (path === null) {
    return `lab/tree/${directory}`;
  }
  const before = WITH_FILE.exec(path)?.[1];
  if (before === undefined) {
    return path;
  }
  const file = path.slice(before.length).replace(/^\/+/, "");
  return file.split("/")[0] === directory ? path : `${before}/${directory}/${file}`;
}
