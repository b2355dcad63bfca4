"""Logins of browsers at the service's own pages: JupyterHub's OAuth, a cookie, and what guards it.

The cookie is for pages and ``api/*`` alone.  It is sent by the browser whoever made it ask, and on
a hub without subdomains users' servers share our origin.  So the API, reading included, wants a
token beside it that only our own pages know, one that follows from the login, in ``X-XSRFToken``;
and a page is given to somebody who opens it, never to a script that reads it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from typing import Any

from tornado.httputil import HTTPServerRequest, url_concat
from tornado.web import HTTPError, RequestHandler

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    AuthenticationRequired,
    ServiceUnavailable,
)
from jupyterhub_imagebuilder.web.auth import same
from jupyterhub_imagebuilder.web.hub_auth import Hub

#: The header with the token that goes with the cookie.
XSRF_HEADER = "X-XSRFToken"
#: Seconds that the hub has to turn a code into a token.
_TIMEOUT = 15.0
#: Logins under way whose page is remembered.
_BEGUN = 2000
_OURS = ("same-origin", "none")  # none: typed, or a bookmark


class Sessions:
    """Who is logged in where.

    :param hub: the hub, of which the service is an OAuth client.
    :param token: the service's own API token.  It outlives a restart, and so do logins with it:
        what signs the cookies follows from it.
    """

    def __init__(self, hub: Hub, token: str) -> None:
        self._hub = hub
        self._begun: deque[str] = deque()
        self._xsrf_key = _derived(token, "xsrf")
        self.cookie_secret = _derived(token, "cookies")  #: tornado's setting of that name

    async def visitor(self, handler: RequestHandler) -> Owner | None:
        """Who opens a page, None where somebody has to log in first.

        :raises AccessDenied: the user may not use the service, or it is no person that asks.
        :raises ServiceUnavailable: the hub does not answer.
        """
        headers = handler.request.headers
        # browsers say so on https and on localhost
        if headers.get("Sec-Fetch-Mode", "navigate") != "navigate" or (
            headers.get("Sec-Fetch-Dest", "document") != "document"
        ):
            raise AccessDenied("Open this page in a window of its own.")
        token = await self._token(handler)
        return await self._owner(handler, token) if token else None

    async def caller(self, handler: RequestHandler) -> Owner | None:
        """Who uses the API by cookie, None where there is none.

        :raises AccessDenied: the request does not come from one of our pages.
        :raises AuthenticationRequired: the login is over.
        :raises ServiceUnavailable: the hub does not answer.
        """
        token = await self._token(handler)
        if token is None:
            return None
        self._guard(handler.request, token)
        owner = await self._owner(handler, token)
        if owner is None:
            raise AuthenticationRequired("Your login is over; reload the page.")
        return owner

    async def xsrf(self, handler: RequestHandler) -> str:
        """The token that our pages send along with the cookie; empty without a login."""
        token = await self._token(handler)
        return self._xsrf_of(token) if token else ""

    async def begin(self, handler: RequestHandler, then: str) -> str:
        """Begin a login; sets the cookie that ends it in the same browser.

        :param then: a path of the service that follows the login.
        :returns: where the browser has to go now.
        """
        auth = await self._hub.client()
        challenge: dict[str, str] = {}
        proof: dict[str, str] = {}
        # JupyterHub 5 has no PKCE
        if getattr(auth, "pkce_enabled", False):
            verifier, code, method = auth.generate_pkce_code_challenge()
            proof = {"code_verifier": verifier}
            challenge = {"code_challenge": code, "code_challenge_method": method}
        state = auth.set_state_cookie(handler, next_url=then, **proof)
        # JupyterHub's client keeps each for ten minutes, and anybody can begin one
        self._begun.append(state)
        if len(self._begun) > _BEGUN:
            auth.clear_oauth_state(self._begun.popleft())
        return str(url_concat(auth.login_url, {**challenge, "state": state}))

    async def finish(self, handler: RequestHandler, state: str, code: str) -> str:
        """End a login; sets the session's cookie.

        :param state: what the hub was given at the beginning.
        :param code: the hub's answer.
        :returns: the path that follows the login.
        :raises AccessDenied: the login did not begin in this browser, or too long ago.
        :raises ServiceUnavailable: the hub does not answer, or not as it should.
        """
        auth = await self._hub.client()
        kept = handler.get_secure_cookie(auth.get_state_cookie_name(state), max_age_days=1)
        auth.clear_oauth_state_cookies(handler)
        if not state or kept is None or not same(kept.decode("ascii", "replace"), state):
            raise AccessDenied(
                "This login did not begin here, or too long ago; open the page again, with cookies "
                "allowed."
            )
        then = str(auth.get_next_url(state))
        verifier = auth.get_code_verifier(state) if hasattr(auth, "get_code_verifier") else None
        auth.clear_oauth_state(state)
        token = await _token_for(auth, code, verifier)
        if await self._hub.owner(token, auth.get_session_id(handler)) is None:
            raise ServiceUnavailable("JupyterHub does not know its own login; open the page again.")
        _set_cookie(auth, handler, token)
        return then

    async def _token(self, handler: RequestHandler) -> str | None:
        auth = await self._hub.client()
        value = handler.get_secure_cookie(auth.cookie_name)
        return value.decode("ascii", "replace") if value else None

    async def _owner(self, handler: RequestHandler, token: str) -> Owner | None:
        auth = await self._hub.client()
        return await self._hub.owner(token, auth.get_session_id(handler))

    def _guard(self, request: HTTPServerRequest, token: str) -> None:
        """Refuse what another site's page, or a user's server, made the browser send."""
        if request.headers.get("Sec-Fetch-Site", "none") not in _OURS:
            raise AccessDenied("Another site's page may not do this; it needs a token.")
        given = request.headers.get(XSRF_HEADER)
        if given is None or not same(self._xsrf_of(token), given):
            raise AccessDenied(
                f"The page is of another login, or of none ({XSRF_HEADER}); reload it."
            )

    def _xsrf_of(self, token: str) -> str:
        return hmac.new(self._xsrf_key, token.encode(), hashlib.sha256).hexdigest()


def _derived(token: str, purpose: str) -> bytes:
    """A secret for one purpose that tells nothing about another one."""
    return hmac.new(token.encode(), f"imagebuilder {purpose}".encode(), hashlib.sha256).digest()


async def _token_for(auth: Any, code: str, verifier: str | None) -> str:
    proof = {"code_verifier": verifier} if verifier else {}
    try:
        async with asyncio.timeout(_TIMEOUT):
            return str(await auth.token_for_code(code, sync=False, **proof))
    except (HTTPError, TimeoutError, OSError, ValueError, LookupError) as error:
        raise ServiceUnavailable(
            "JupyterHub did not complete the login; open the page again."
        ) from error


def _set_cookie(auth: Any, handler: RequestHandler, token: str) -> None:
    """Keep a login's token where only the service reads it, until the browser forgets it."""
    from jupyterhub.utils import get_browser_protocol

    options: dict[str, Any] = {"path": auth.cookie_path, "httponly": True, "samesite": "Lax"}
    if get_browser_protocol(handler.request) == "https" or auth.cookie_host_prefix_enabled:
        options["secure"] = True
    handler.set_secure_cookie(auth.cookie_name, token, **{**options, **auth.cookie_options})
