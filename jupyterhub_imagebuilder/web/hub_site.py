"""The hub beside which the service runs, as its pages need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

#: What a login by OAuth takes.
_NEEDED = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID")
#: As JupyterHub escapes them.
_NAME = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")
_ORIGIN = re.compile(r"https?://[^/?#@\s\"';,]+")


@dataclass(frozen=True, slots=True)
class HubSite:
    """Where a browser finds the hub."""

    url: str  #: such as ``/hub/``; with its origin where that is not the service's
    #: the hub's where it is not the service's, such as ``https://hub.example.org``
    origin: str = ""

    @property
    def sources(self) -> str:
        """From where a page may load what it has of the hub, in words of its content policy."""
        return f"'self' {self.origin}".rstrip()

    def has_server(self, path: str) -> bool:
        """Whether a path is that of a user's server, on this very host: ``/user/ada/``."""
        below = f"{self.url.removesuffix('hub/')}user/"
        *names, last = path.removeprefix(below).split("/")
        return path.startswith(below) and last == "" and names != [] and all(map(_is_name, names))


def _is_name(step: str) -> bool:
    """Whether a step of a path stands for a user or a server, and leads nowhere else."""
    return bool(_NAME.fullmatch(step)) and unquote(step).strip(".") != ""


def hub_site(environment: Mapping[str, str]) -> HubSite | None:
    """The hub that ``JUPYTERHUB_*`` variables describe.

    :returns: None where nobody can log in: there is no hub, or the service is no client of it.
    """
    if not all(environment.get(name) for name in _NEEDED):
        return None
    # set where the hub spreads over subdomains, and then the service is on one of its own
    host = _ORIGIN.match(environment.get("JUPYTERHUB_HOST", ""))
    origin = host.group().lower() if host else ""
    base = environment.get("JUPYTERHUB_BASE_URL", "").strip("/")
    return HubSite(f"{origin}/{base}/hub/" if base else f"{origin}/hub/", origin)
