/** nbgitpuller, which puts a repository's content into a home: https://nbgitpuller.readthedocs.io */

/** What the page's address asks for; the service has looked at it. */
export interface Pull {
  /** The server's path, with a slash at its end. */
  server: string;
  repository: string;
  branch: string;
  /** What to open behind it, relative to the server. */
  path: string;
}

export function pullOf(query: string): Pull {
  const fields = new URLSearchParams(query);
  return {
    server: fields.get("server") ?? "/",
    repository: fields.get("repo") ?? "",
    branch: fields.get("branch") ?? "",
    path: fields.get("urlpath") ?? "",
  };
}

/** The address that pulls, and then opens the path. */
export function pulling({ server, repository, branch, path }: Pull): string {
  const query = new URLSearchParams({ repo: repository });
  if (branch !== "") {
    query.set("branch", branch);
  }
  if (path !== "") {
    query.set("urlpath", path);
  }
  return `${server}git-pull?${query}`;
}

/** Milliseconds between two looks, and how many there are. */
const PAUSE = 1000;
const LOOKS = 3;
/** Milliseconds for an answer. */
const PATIENCE = 10_000;

/**
 * Whether the server has nbgitpuller; null: it did not say.
 *
 * Without credentials a server sends a visitor to the login where there is such a page, and answers
 * 404 where there is none.
 */
export async function hasPuller(
  server: string,
  fetcher: typeof fetch = fetch,
  pause = PAUSE,
): Promise<boolean | null> {
  for (let look = 1; look <= LOOKS; look++) {
    try {
      const answer = await fetcher(`${server}git-pull`, {
        redirect: "manual",
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.type === "opaqueredirect" || answer.ok) {
        return true;
      }
      if (answer.status === 404) {
        return false;
      }
    } catch {
      // the proxy may not know of the server yet
    }
    if (look < LOOKS) {
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return null;
}
