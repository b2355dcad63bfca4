"""HTTP to the registry: one session, bounded answers, failures in our words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from jupyterhub_imagebuilder._version import __version__
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.errors import RegistryUnavailable
from jupyterhub_imagebuilder.registry.failures import Transient
from jupyterhub_imagebuilder.registry.pace import Pace

#: Bytes: the largest manifest that the distribution spec asks registries to take.
_ANSWER_LIMIT = 4 * 1024 * 1024
#: Seconds for a connection: a host that drops packets is found out before the whole time is up.
_CONNECT_LIMIT = 5.0
#: Connections: look-ups are short, and a registry counts them.
_CONNECTIONS = 16
#: Redirects in a row: more are a circle.
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)  # of a token server: the token


class Transport:
    """Sends requests on behalf of one registry.

    :param host: the registry's name, for the sentences.
    :param ca_file: path of further CA certificates, beside the system's; empty: none.
    :param timeout: seconds for one request.
    """

    def __init__(
        self,
        host: str,
        *,
        ca_file: str = "",
        timeout: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self._host = host
        self._pace = Pace(host, clock or SystemClock())
        self._ca_file = ca_file
        self._timeout = aiohttp.ClientTimeout(
            total=timeout, sock_connect=min(timeout, _CONNECT_LIMIT)
        )
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; redirects are answers like any other.

        :param form: sent as the body, URL-encoded.
        :raises Busy: the server wants no more requests for now; this one may not have been sent.
        :raises Transient: no answer, or an error of the server.
        :raises RegistryUnavailable: a failure that another try does not cure.
        """
        self._pace.admit(url)
        answer = await self._send(method, url, headers, form)
        self._pace.note(url, answer.status, answer.headers)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._silent(f"has an error ({answer.status})")
        return answer

    async def follow(self, method: str, url: URL, *, headers: Mapping[str, str]) -> Answer:
        """Send a request that only reads, and go where the answer says.

        Credentials stay behind where that is another server, and nothing goes from https to http.

        :raises RegistryUnavailable: as :meth:`send`, or the redirects lead nowhere.
        """
        here = url
        for _ in range(_REDIRECTS + 1):
            answer = await self.send(method, here, headers=headers)
            if answer.status not in _MOVED:
                break
            here = self._next(here, answer)
            if here.origin() != url.origin():
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
        else:
            raise self._lost("in circles")
        if here.origin() != url.origin() and answer.status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
        ):
            # the login of a server that nobody configured is not answered
            raise self._lost("to a server that wants a login of its own")
        return answer

    def _next(self, here: URL, answer: Answer) -> URL:
        try:
            there = here.join(URL(answer.headers.get("Location", ""), encoded=True))
        except ValueError:
            there = URL()
        known = there.scheme == "https" or (there.scheme == here.scheme == "http")
        if not there.host or not known or there.user or there.password:
            raise self._lost(f"nowhere ({answer.status})")
        return there

    def _lost(self, where: str) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"What answers as the registry {self._host} leads {where}; "
            "please tell the administrator of this hub."
        )

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        session = self._open()
        try:
            # A redirect would carry credentials to where nobody configured them.
            async with session.request(
                method, url, headers=headers, data=form, allow_redirects=False
            ) as response:
                body = await self._body(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise RegistryUnavailable(
                f"The image builder does not trust the certificate of the registry {self._host}; "
                "an administrator can name its CA in DistributionRegistry.ca_file."
            ) from error
        except TimeoutError as error:
            raise self._silent("did not answer in time") from error
        except aiohttp.ClientSSLError as error:
            raise self._silent("does not answer in TLS") from error
        except (aiohttp.ClientResponseError, ValueError):
            # Not chained: these hold the request's headers, or parts of the answer.
            raise self._silent("does not answer as HTTP has it") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._silent("cannot be reached") from error
        return Answer(response.status, response.headers, body)

    async def close(self) -> None:
        """Close all connections; nothing can be sent any more."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > _ANSWER_LIMIT:
                raise RegistryUnavailable(
                    f"The registry {self._host} sends more than a manifest may hold; "
                    "please tell the administrator of this hub."
                )
        return bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        """The session; made late, because it belongs to the running event loop."""
        if self._closed:
            raise RegistryUnavailable(
                "The image builder is shutting down; please try again in a minute."
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls(), limit=_CONNECTIONS),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"jupyterhub-imagebuilder/{__version__}"},
            )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file:
            try:
                context.load_verify_locations(cafile=self._ca_file)
            except (OSError, ssl.SSLError) as error:
                raise RegistryUnavailable(
                    f"DistributionRegistry.ca_file {self._ca_file} cannot be read as "
                    "certificates; please tell the administrator of this hub."
                ) from error
        return context

    def _silent(self, what: str) -> Transient:
        return Transient(f"The registry {self._host} {what}; please try again in a few minutes.")
