"""Links and badges: ``/v2/<provider>/<spec>``, the form of every Binder link.

A link leads to the hub's spawn form and fills it in; nothing is resolved, built or started by it.
Sources of the format: what mybinder.org's link maker writes, with ``?urlpath=``, ``?filepath=`` or
``?labpath=``.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

from tornado.httputil import url_concat

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.parse import MAX_LENGTH
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.web.build import split_path
from jupyterhub_imagebuilder.web.hub_site import HubSite
from jupyterhub_imagebuilder.web.pages import Page
from jupyterhub_imagebuilder.web.static import File, PublicHandler

_PROVIDER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_USERINFO = re.compile(r"://[^/@]*@")
#: What a link opens in the server: a path of it, or a file, which JupyterLab shows.
_PATHS = ("urlpath", "labpath", "filepath")
#: Marks a link that came back, since the user's server runs already.
_RUNNING = "running"
_BADGE = Path(__file__).parent / "templates" / "badge.svg"
_DAY = "public, max-age=86400"


class LinkHandler(Page):
    """``/v2/<provider>/<spec>``: to the form, by way of the login."""

    async def get(self) -> None:
        """Send the browser to the hub, or say why its server did not change."""
        site = self.site()
        prefix: str = self.settings["prefix"]
        provider, spec = link_parts(self.request.path, f"{prefix}v2/")
        path = self._path() | self._content()
        wish = {"build": f"{provider}/{spec}"} | path
        if self.get_query_argument(_RUNNING, None) is not None:
            again = url_concat(self.request.path, path)
            title = "Your server is running"
            self.show("running.html", title=title, wish=wish["build"], again=again)
            return
        self.redirect(login_link(site, wish, back=self._back(site, path)))

    def _path(self) -> dict[str, str]:
        for name in _PATHS:
            path = self.get_query_argument(name, "")
            if path:
                if len(path) > MAX_LENGTH or _CONTROL.search(path):
                    raise SpecInvalid("The path that this link opens cannot be read.")
                is_file = name != "urlpath"
                return {"urlpath": f"lab/tree/{quote(path.lstrip('/'))}" if is_file else path}
        return {}

    def _content(self) -> dict[str, str]:
        return {"content": "1"} if self.get_query_argument("content", "") == "1" else {}

    def _back(self, site: HubSite, path: dict[str, str]) -> str:
        """Where the hub sends a user whose server runs: it shows them no form."""
        if site.origin:
            # it sends nobody to another host than its own
            return f"/{site.url.removeprefix(site.origin).strip('/')}/home"
        return str(url_concat(self.request.path, path | {_RUNNING: "1"}))

    head = get


class BadgeHandler(PublicHandler):
    """``/badge.svg``: the picture that a link hides behind; needs no token."""

    async def get(self) -> None:
        """Send the picture."""
        self.send(File(_BADGE.read_bytes(), "image/svg+xml", None), _DAY)

    head = get


def link_parts(path: str, base: str) -> tuple[str, str]:
    """Provider and spec of a link, with the escapes in the spec that belong to it.

    :param path: of the request, escaped.
    :param base: the part of it in front of the provider.
    :raises SpecInvalid: it is no link.
    """
    try:
        provider, spec = split_path(path, base)
    except SpecInvalid as error:
        raise SpecInvalid(
            "This link is not complete: it has to be /v2/<provider>/<repository>/<ref>."
        ) from error
    provider = unquote(provider).lower()
    if not _PROVIDER.fullmatch(provider):
        raise SpecInvalid("This link does not name a kind of repository, such as gh or git.")
    # addresses end up in the hub's log
    if _USERINFO.search(unquote(spec)):
        raise SpecInvalid("A link must not have a password in it.")
    if len(spec) > MAX_LENGTH or _CONTROL.search(unquote(spec)):
        raise SpecInvalid("The repository that this link names cannot be read.")
    return provider, wire.spec_from_binderhub(provider, spec)


def login_link(site: HubSite, wish: dict[str, str], back: str) -> str:
    """The hub's login, and behind it the spawn form with a wish; at once for who is logged in.

    The wish is a fragment, for the front end.  It survives a login only inside ``next``: the form
    of a login page drops that of its own address.

    :param wish: ``build`` and what else the form reads from its address.
    :param back: path of the hub's host for a user whose server runs.
    """
    hub = site.url.removeprefix(site.origin)
    form = f"{hub}spawn?{urlencode({'next': back})}#{urlencode(wish, quote_via=quote)}"
    return f"{site.url}login?{urlencode({'next': form})}"
