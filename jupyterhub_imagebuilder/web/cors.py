"""Which other origins' pages may talk to the service from a browser (Fetch Standard, section 3.3).

The hub's own pages may, wherever they are; no other, unless the admin names it.  Nothing here lets
cookies through: a page of another origin needs a token that its user has given to it.
"""

from __future__ import annotations

import re

from traitlets import List, TraitError, Unicode
from traitlets.config import Configurable

from jupyterhub_imagebuilder.configuration import ConfigurationError

_ANY = "*"
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
#: What an answer tells a page beside its body, and what a page may ask.
_EXPOSED = "Retry-After"
_METHODS = "GET, POST, PUT, DELETE"
_HEADERS = "Authorization, Cache-Control, Content-Type, Last-Event-ID"
#: Seconds for which a browser need not ask again; browsers take two hours at most.
_MAX_AGE = "7200"


class CrossOrigin(Configurable):
    """Pages of other origins that may use the API."""

    allowed_origins = List(
        Unicode(),
        help="""
        Origins, such as `https://portal.example.org`, whose pages may use the API from a browser,
        or `*` for all of them. The page needs a token all the same: cookies are for the service's
        own pages. The hub that starts the service, and pages of the service's own host, need not
        be named here.
        """,
    ).tag(config=True)

    hub_origin: str = ""  #: of the hub where that is not the service's own

    def headers(self, origin: str | None) -> dict[str, str]:
        """What every answer carries.

        :param origin: the request's ``Origin``.
        """
        allowed = {*self.allowed_origins, self.hub_origin} - {""}
        if not allowed:
            return {}
        shared = {"Access-Control-Expose-Headers": _EXPOSED}
        if _ANY in allowed:
            return {"Access-Control-Allow-Origin": _ANY, **shared}
        # a cache must not give one origin's answer to another
        if origin is None or origin not in allowed:
            return {"Vary": "Origin"}
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, **shared}

    def preflight(self, origin: str | None) -> dict[str, str]:
        """What the answer to a browser's question carries beyond that.

        :returns: nothing for an origin that may not ask.
        """
        if "Access-Control-Allow-Origin" not in self.headers(origin):
            return {}
        return {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _MAX_AGE,
        }


def configured(parent: Configurable, hub_origin: str = "") -> CrossOrigin:
    """What the admin wrote.

    :param parent: hands its configuration down.
    :param hub_origin: of the hub where that is not the service's own.
    :raises ConfigurationError: it cannot be meant.
    """
    try:
        cors = CrossOrigin(parent=parent)
    except TraitError as error:
        raise ConfigurationError(f"A setting is wrong: {error}") from error
    for origin in cors.allowed_origins:
        if origin != _ANY and not _ORIGIN.fullmatch(origin):
            raise ConfigurationError(
                f"c.CrossOrigin.allowed_origins has {origin!r}, which is no origin: write for "
                "example https://portal.example.org, in small letters and without a path."
            )
    cors.hub_origin = hub_origin
    return cors
