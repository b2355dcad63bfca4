"""The service's pages: shells that the front end fills, for people who are logged in to the hub.

The content policy has no exceptions: scripts and styles come from the service, styles and the logo
from the hub, too; there is none in the page itself.
"""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tornado.web import HTTPError

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder._version import __version__
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.errors import AccessDenied, ServiceUnavailable, SpecInvalid
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.hub_site import HubSite
from jupyterhub_imagebuilder.web.operations import Answer, Operation, describes
from jupyterhub_imagebuilder.web.session import Sessions
from jupyterhub_imagebuilder.web.static import Entry, FrontEnd

if TYPE_CHECKING:
    from jinja2 import Environment

_HTML = "text/html; charset=utf-8"
_NO_HUB = "This image builder runs without a JupyterHub, so it has no pages; it has an API only."
_TITLES = {
    "images": "My images",
    "build": "Build",
    "link": "Links and badges",
    "admin": "Builds of all users",
    "content": "Your files",
}
_REPOSITORY = re.compile(r"(?:https?|git|ssh)://[^\s\\]+")
#: Characters of an address that is kept through a login.
_LONGEST = 8192
#: What is opened behind the pull, relative to the server.
_INSIDE = re.compile(r"(?!/)[^\\\x00-\x1f]*")
_FAILURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "This link cannot be read",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Nothing here",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available now",
}


class _NoPages(HTTPError):
    """There is no hub, and so nobody who could log in."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.NOT_FOUND)


class Page(Handler):
    """Base of what answers a person: in HTML, its failures as well."""

    def site(self) -> HubSite:
        """The hub.

        :raises tornado.web.HTTPError: there is none, and so no page.
        """
        if self.backend.site is None:
            raise _NoPages
        return self.backend.site

    def sessions(self) -> Sessions:
        """Logins; raises as :meth:`site` does."""
        if self.backend.sessions is None:
            raise _NoPages
        return self.backend.sessions

    def wants_html(self) -> bool:
        """Whether a browser shows the answer to a person."""
        return "text/html" in self.request.headers.get("Accept", "")

    def show(self, template: str, *, user: Owner | None = None, **values: Any) -> None:
        """Answer with a page of our own, ``templates/<template>``."""
        site = self.backend.site
        self.set_header("Content-Type", _HTML)
        self.set_header("Content-Security-Policy", content_policy(site))
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        common = {
            "hub": site.url if site else "",
            "service": self.settings["prefix"],
            "user": user,
            "titles": _TITLES,
            "page": "",
            "assets": self._assets() if site else None,
        }
        self.finish(_templates().get_template(template).render({**common, **values}))

    def _assets(self) -> Entry | None:
        """The look and the theme of the front end; a page without them can be read as well."""
        front_end: FrontEnd = self.settings["front_end"]
        try:
            return front_end.entry("pages")
        except ServiceUnavailable:
            return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send a failure as a page, to a browser; else as JSON."""
        if not self.wants_html():
            super().write_error(status_code, **kwargs)
            return
        error = kwargs.get("exc_info", (None, None, None))[1]
        status_code, _, message = self.failure(status_code, error)
        self.set_status(status_code)
        title = _FAILURES.get(status_code, "Something went wrong")
        self.show("error.html", title=title, message=message)

    def failure(self, status_code: int, error: BaseException | None) -> tuple[int, str | None, str]:
        """As everywhere, and why there is no page."""
        status_code, reason, message = super().failure(status_code, error)
        return status_code, reason, _NO_HUB if isinstance(error, _NoPages) else message


class AppPage(Page):
    """A page that the front end fills.

    :cvar page: which one, as the front end names it.
    """

    page = "images"

    async def get(self, build_id: str | None = None) -> None:
        """Show the page to who is logged in, send others to the login."""
        sessions = self.sessions()
        user = await sessions.visitor(self)
        if user is None:
            self.redirect(await sessions.begin(self, self.then()))
            return
        self.admit(user)
        await self.shell(user, build_id)

    def then(self) -> str:
        """What is opened behind a login."""
        return str(self.request.path)

    def admit(self, user: Owner) -> None:
        """Raise where a page is not for everybody."""

    async def shell(self, user: Owner, build_id: str | None) -> None:
        """Send the page for the front end to fill."""
        front_end: FrontEnd = self.settings["front_end"]
        data = {
            "page": self.page,
            "service": self.settings["prefix"],
            "hub": self.site().url,
            "user": {"name": user.name, "admin": user.admin},
            "xsrf": await self.sessions().xsrf(self),
            "build": build_id,
            "version": __version__,
        }
        self.show(
            "app.html",
            title=_TITLES[self.page],
            user=user,
            page=self.page,
            assets=front_end.entry("pages"),
            data=data,
        )


class HomePage(AppPage):
    """The prefix itself: a person's images; for programs, the versions."""

    @describes(
        Operation(
            summary="Name the versions of the service and of the image that builds",
            answers={200: Answer("The versions.", "Versions")},
            secured=False,
        )
    )
    async def get(self, build_id: str | None = None) -> None:
        """Show the user's images; a program, which asks for no HTML, gets the versions."""
        self.set_header("Vary", "Accept")
        prefix: str = self.settings["prefix"]
        if not self.wants_html():
            self.answer(wire.versions_to_binderhub(self.backend.versions()))
        elif self.request.path != prefix:
            self.redirect(prefix)
        else:
            await super().get(build_id)

    head = get


class BuildPage(AppPage):
    """``/builds/<id>``: one build.  Whether there is one, the front end asks."""

    page = "build"


class LinkPage(AppPage):
    """``/link``: makes links and badges."""

    page = "link"


class AdminPage(AppPage):
    """``/admin``."""

    page = "admin"

    def admit(self, user: Owner) -> None:
        """Refuse everybody but the hub's admins."""
        if not user.admin:
            raise AccessDenied("This page is for the admins of this JupyterHub.")


class ContentPage(AppPage):
    """``/content``: between a server's start and its first page, a repository's content is pulled.

    Nothing is done here: the front end looks whether the server has nbgitpuller, and goes there.
    """

    page = "content"

    def then(self) -> str:
        """As it was asked for: what to pull is in the query."""
        address = str(self.request.uri)
        # it is kept until the login ends, and who began it is not known
        if len(address) > _LONGEST:
            raise SpecInvalid("This link is too long.")
        return address

    def admit(self, user: Owner) -> None:  # noqa: ARG002 -- of anybody
        """Refuse what leads elsewhere than into a user's server, or pulls from no repository."""
        server, repository, path = map(self._only, ("server", "repo", "urlpath"))
        if not self.site().has_server(server) or not _REPOSITORY.fullmatch(repository):
            raise SpecInvalid("This link does not say whose server, or which repository, it means.")
        # to a browser, escaped dots are dots as well
        steps = map(unquote, re.split("[?#]", path)[0].split("/"))
        if not _INSIDE.fullmatch(path) or ".." in steps:
            raise SpecInvalid("This link leads out of the server.")

    def _only(self, name: str) -> str:
        """What the query says once: of two, the front end would read the other one."""
        values = self.get_query_arguments(name)
        if len(values) > 1:
            raise SpecInvalid(f"This link says {name} more than once.")
        return values[0] if values else ""


class CallbackPage(Page):
    """``/oauth_callback``: where the hub sends the browser at the end of a login."""

    async def get(self) -> None:
        """Keep the login, and go where the browser was going."""
        sessions = self.sessions()
        code, state = (self.get_query_argument(name, "") for name in ("code", "state"))
        if not code:
            raise AccessDenied("JupyterHub did not let you in; ask its admin if it should.")
        self.redirect(await sessions.finish(self, state, code))


class NotFoundPage(Page):
    """Answers for all addresses that nobody else has."""

    def prepare(self) -> None:
        """Refuse."""
        raise HTTPError(HTTPStatus.NOT_FOUND)


def content_policy(site: HubSite | None) -> str:
    """What a page may load, and who may show it in a frame: nobody."""
    ours = site.sources if site else "'self'"
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src {ours}",
            f"img-src {ours} data:",
            f"font-src {ours}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


@functools.cache
def _templates() -> Environment:
    # importing jinja2 and reading templates are for the first page, not for the start
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("jupyterhub_imagebuilder.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
