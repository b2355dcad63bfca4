const STORED_BY_THE_HUB = "jupyterhub-bs-theme";
const DARK = "(prefers-color-scheme: dark)";

/**
 * Give a page of the service the theme that the user chose on the hub's pages, else the system's.
 *
 * The hub's own pages do this themselves.  The choice is only read here; on a hub whose services
 * have another origin it is out of sight, and the system's holds.
 */
export function followTheme(): void {
  const system = matchMedia(DARK);
  const set = (): void => {
    const chosen = stored();
    const dark = chosen === "dark" || (chosen !== "light" && system.matches);
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
  };
  set();
  system.addEventListener("change", set);
  // the hub is open in another tab, and somebody uses its switch
  addEventListener("storage", set);
}

function stored(): string | null {
  try {
    return localStorage.getItem(STORED_BY_THE_HUB);
  } catch {
    // a browser that keeps nothing refuses to be asked
    return null;
  }
}
