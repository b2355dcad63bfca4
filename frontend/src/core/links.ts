/** Links that lead to the spawn form with a repository filled in.  Bad input is null, never thrown. */

/** What a link asks for; nothing of it happens by itself. */
export interface Wish {
  /** `<provider>/<spec>`, as in `gh/org/repo/main`, or what somebody would paste. */
  build: string;
  /** What to open when the server runs, relative to it: `lab/tree/a.ipynb`. */
  path?: string;
  /** Whether the repository's content is to be put into the home. */
  content?: boolean;
  /** The slug of the profile. */
  profile?: string;
}

export interface Badge {
  markdown: string;
  html: string;
  rst: string;
}

/** As much as the service reads of a repository's text. */
const LONGEST = 2048;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\x00-\x1f\x7f]/;
const LABEL = "Open in JupyterHub";

/** `#build=…&urlpath=…&content=1&profile=…` */
export function toFragment(wish: Wish): string {
  const fields = new URLSearchParams({ build: sound(wish.build) });
  if (wish.path) {
    fields.set("urlpath", sound(wish.path));
  }
  if (wish.content) {
    fields.set("content", "1");
  }
  if (wish.profile) {
    fields.set("profile", sound(wish.profile));
  }
  return `#${fields}`;
}

/**
 * The wish in an address's fragment; null where there is none, or part of it cannot be meant.
 *
 * @param hash with or without its `#`.
 */
export function fromFragment(hash: string): Wish | null {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const build = (fields.get("build") ?? "").trim();
  const given = fields.get("urlpath") ?? "";
  const path = given === "" ? "" : safePath(given);
  const profile = fields.get("profile") ?? "";
  if (!readable(build) || path === null || (profile !== "" && !readable(profile))) {
    return null;
  }
  return {
    build,
    ...(path !== "" && { path }),
    ...(fields.get("content") === "1" && { content: true }),
    ...(profile !== "" && { profile }),
  };
}

/**
 * The path as it may be put behind a server's address, without a slash before it; null where it
 * leads somewhere else.
 */
export function safePath(path: string): string | null {
  const inside = path.replace(/^\//, "");
  const before = inside.split(/[?#]/, 1)[0] ?? "";
  const steps = before.replace(/%2e/gi, ".").split(/\/|%2f/i);
  const leadsAway =
    inside.startsWith("/") ||
    /[\\]|%5c/i.test(before) ||
    /^[a-z][a-z0-9+.-]*:/i.test(before) ||
    steps.includes("..");
  return leadsAway || CONTROL.test(path) || path.length > LONGEST ? null : inside;
}

/**
 * The spawn form with a repository filled in.
 *
 * @param hubUrl the hub's address, `https://hub.example.org/hub/`.
 * @param serverName of a named server, which is somebody's: without `user` it is left out.
 * @param user whose server; without it, the one's who follows the link.
 */
export function formLink(hubUrl: string, wish: Wish, serverName = "", user = ""): string {
  const steps = user === "" ? [] : [user, ...(serverName === "" ? [] : [serverName])];
  return `${below(hubUrl, ["spawn", ...steps])}${toFragment(wish)}`;
}

/**
 * A link as mybinder.org has them, which the service understands.
 *
 * @param serviceUrl the service's address, `https://hub.example.org/services/imagebuilder/`.
 * @param spec as the service writes it: `org/repo/main`, or with an escaped address in it.
 * @param path what to open, relative to the server.
 */
export function binderLink(
  serviceUrl: string,
  provider: string,
  spec: string,
  path?: string,
  content?: boolean,
): string {
  // what is escaped in a spec belongs to it
  const escaped = encodeURI(sound(spec)).replaceAll("%25", "%").replace(/[?#]/g, escapeOne);
  const query = new URLSearchParams();
  if (path) {
    query.set("urlpath", sound(path));
  }
  if (content) {
    query.set("content", "1");
  }
  const asked = `${query}`;
  return `${below(serviceUrl, ["v2", provider])}/${escaped}${asked === "" ? "" : `?${asked}`}`;
}

/** What to put into a README so that its readers can follow the link. */
export function badge(link: string, serviceUrl: string): Badge {
  const image = below(serviceUrl, ["badge.svg"]);
  const [to, shown] = [link, image].map((url) => url.replace(/[()\s<>"]/g, escapeOne)) as [
    string,
    string,
  ];
  return {
    markdown: `[![${LABEL}](${shown})](${to})`,
    html: `<a href="${entities(to)}"><img src="${entities(shown)}" alt="${LABEL}"></a>`,
    rst: `.. image:: ${shown}\n   :target: ${to}\n   :alt: ${LABEL}\n`,
  };
}

function below(url: string, steps: string[]): string {
  const path = steps.map((step) => encodeURIComponent(sound(step))).join("/");
  return `${url.replace(/\/*$/, "/")}${path}`;
}

function readable(text: string): boolean {
  return text !== "" && text.length <= LONGEST && !CONTROL.test(text);
}

/** Halves of characters, which no address can hold, as what stands for the unreadable. */
function sound(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

function escapeOne(character: string): string {
  const escaped = encodeURIComponent(character);
  // parentheses are left as they are by it
  const code = character.charCodeAt(0).toString(16).toUpperCase();
  return escaped === character ? `%${code}` : escaped;
}

function entities(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
