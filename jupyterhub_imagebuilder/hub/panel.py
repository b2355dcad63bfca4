"""What the form carries for the front end: data, its script, and a line for when that is away.

The stock form stays as it is: the script makes more of it, and without it everything still works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment

from jupyterhub_imagebuilder.hub.profile import Settings, is_build

#: Fields with this beginning are the front end's, and never reach an admin's own code.
_OURS: Final = "imagebuilder-"
_COMMIT_FIELD: Final = "imagebuilder-commit"
#: Git's and Mercurial's, and Git's with SHA-256.
_FULL_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_AWAY: Final = (
    "The image builder cannot be reached: reload this page to try again, or start anyway; a "
    "repository that you write here is built when the server starts."
)
# The listener comes before the script that it listens to, and in the capture phase: an element's
# "error" does not bubble.  What the script throws while it is loaded is an "error" of the window.
_MARKUP: Final = Environment(autoescape=True).from_string(
    """
<script type="application/json" id="imagebuilder-form">{{ data|tojson }}</script>
<p id="imagebuilder-away" hidden class="alert alert-warning mt-3" role="status">{{ away }}</p>
<script>
(() => {
  const look = (event) => {
    const script = document.getElementById("imagebuilder-script");
    const failed = event.target === script
      || String(event.filename || "").startsWith(new URL(".", script.src).href);
    if (failed) {
      document.getElementById("imagebuilder-away").hidden = false;
    }
  };
  addEventListener("error", look, true);
  addEventListener("load", () => removeEventListener("error", look, true), { once: true });
})();
</script>
<script type="module" src="{{ data.service }}static/form.js" id="imagebuilder-script"></script>
"""
)


@cache
def front_end_built() -> bool:
    """Whether the front end is in this package; a source tree may be without it."""
    return (files("jupyterhub_imagebuilder") / "static" / "manifest.json").is_file()


def panel(data: Mapping[str, Any]) -> str:
    """The markup that goes behind the form.

    :param data: what the front end is to know; plain, and nothing secret: it is in the page.
    """
    return _MARKUP.render(data=data, away=_AWAY)


def service_url(settings: Mapping[str, Any], name: str, hub_url: str) -> str:
    """Where browsers find the service: a path, with its origin where hosts are subdomains.

    :param settings: JupyterHub's, with its ``Service`` objects.
    :param hub_url: the hub's own path, such as ``/base/hub/``.
    """
    service = (settings.get("services") or {}).get(name)
    host, prefix = getattr(service, "host", ""), getattr(service, "prefix", "")
    # not its ``href``, which lacks the port
    return f"{host}{prefix}" if prefix else f"{hub_url.removesuffix('hub/')}services/{name}/"


def without_ours(form_data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not the front end's."""
    return {name: value for name, value in form_data.items() if not name.startswith(_OURS)}


def with_commit(options: Any, form_data: Mapping[str, Any], settings: Settings) -> Any:
    """What a form came to, with the commit that the page has built for its text.

    The server then starts from what its user saw, though the branch may have moved.

    :param options: what the form's text fields came to; whatever an admin's own function gives.
    """
    values = form_data.get(_COMMIT_FIELD) or [""]
    commit = values[0]
    if not isinstance(commit, str) or not _FULL_COMMIT.fullmatch(commit):
        return options
    text = options.get(settings.text_key) if isinstance(options, Mapping) else None
    if not isinstance(text, str) or not is_build(text):
        return options
    return {**options, settings.commit_key: commit}
