"""HTTP through the door: one GET at a time, bounded in time, size and redirects."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from yarl import URL

from jupyterhub_imagebuilder._version import __version__
from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.door import Door
from jupyterhub_imagebuilder.providers.networks import proxy_for

_log = logging.getLogger(__name__)

#: Bytes of an answer.
BODY_LIMIT = 1024 * 1024
MAX_REDIRECTS = 5

_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


class Answer(NamedTuple):
    """What a host said."""

    status: int
    headers: Mapping[str, str]  #: in any case
    body: bytes
    url: URL  #: where it came from, behind all redirects


class DoorClient:
    """Client sessions of a provider: one through the door, one to the proxy where there is one.

    :param timeout: seconds for one answer, redirects included.
    :param tls: makes what certificates are checked with; called once, at the first request.
    """

    def __init__(
        self,
        door: Door,
        timeout: float,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self.door = door
        self._timeout = timeout
        self._tls = tls
        self._direct: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None

    async def get(
        self,
        url: URL,
        headers: Callable[[URL], Mapping[str, str]],
        *,
        redirects: int = MAX_REDIRECTS,
    ) -> Answer:
        """GET, of any status.

        :param headers: those for a URL; asked again for each redirect, to keep secrets at home.
        :param redirects: how many are followed; with 0 a redirect is the answer.
        :raises SpecForbidden: the address, or one that the host redirects to, is blocked.
        :raises ProviderUnavailable: no answer, or one that is out of bounds.
        """
        host = url.host
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url, headers, redirects)
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"The host {host} does not answer within {self._timeout:g} seconds."
            ) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise ProviderUnavailable(
                f"The host {host} does not answer safely: its certificate is not trusted here."
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not chained: some of these hold the request's headers.
            _log.info("no answer of %s: %s", host, type(error).__name__)
            raise ProviderUnavailable(f"The host {host} does not answer.") from None

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        sessions = (self._direct, self._proxied)
        self._direct = self._proxied = None
        for session in sessions:
            if session is not None:
                await session.close()

    async def _follow(
        self, url: URL, headers: Callable[[URL], Mapping[str, str]], redirects: int
    ) -> Answer:
        for _ in range(redirects + 1):
            answer = await self._one(url, headers(url))
            target = answer.headers.get("Location")
            if redirects == 0 or answer.status not in _REDIRECTS or not target:
                return answer
            url = _redirected(url, target)
        raise ProviderUnavailable(f"The host {url.host} redirects too often.")

    async def _one(self, url: URL, headers: Mapping[str, str]) -> Answer:
        check_url(url)
        proxy = proxy_for(url.scheme, url.host or "")
        if proxy is not None:
            # The proxy connects: all that is left to do here is to look at the name.
            await self._look_at(url)
        async with self._session(proxied=proxy is not None).get(
            url,
            headers={**headers, "Accept-Encoding": "identity"},
            allow_redirects=False,
            proxy=proxy,
        ) as response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                # A small answer could be unpacked to a huge one.
                raise ProviderUnavailable(
                    f"The host {url.host} sends its answer packed, which nobody asked for."
                )
            body = await _body(response)
            return Answer(response.status, response.headers.copy(), body, url)

    async def _look_at(self, url: URL) -> None:
        try:
            await self.door.lookup(url.host or "", url.port or 0)
        except OSError:
            _log.debug("only the proxy knows the host %s", url.host)

    def _session(self, *, proxied: bool) -> aiohttp.ClientSession:
        """The session; made late, because it belongs to the running event loop."""
        if proxied:
            if self._proxied is None:
                self._proxied = _new_session(aiohttp.TCPConnector(ssl=self._tls()))
            return self._proxied
        if self._direct is None:
            self._direct = _new_session(self.door.connector(self._tls()))
        return self._direct


def check_url(url: URL) -> None:
    """Return if it may be asked over HTTP at all.

    :raises SpecForbidden: it is of another protocol, or holds a password.
    """
    if url.scheme not in {"http", "https"} or not url.host:
        raise SpecForbidden("A repository's host leads to an address that is not read over HTTP.")
    if url.user is not None or url.password is not None:
        raise SpecForbidden("A repository's host leads to an address with a user name in it.")


def _redirected(url: URL, target: str) -> URL:
    try:
        return url.join(URL(target))
    except ValueError as error:
        raise ProviderUnavailable(f"The host {url.host} redirects to no address.") from error


def _new_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"jupyterhub-imagebuilder/{__version__}"},
        auto_decompress=False,
        # The whole is timed by the caller.
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise ProviderUnavailable(
                f"The host {response.url.host} sends more than an answer may hold."
            )
    return bytes(body)
