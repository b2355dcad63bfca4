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
from jupyterhub_imagebuilder.errors import RegistryUnavailable

#: Bytes: the largest manifest that the distribution spec asks registries to take.
_ANSWER_LIMIT = 4 * 1024 * 1024
#: Seconds for a connection: a host that drops packets is found out before the whole time is up.
_CONNECT_LIMIT = 5.0
#: Connections: look-ups are short, and a registry counts them.
_CONNECTIONS = 16


class Transient(RegistryUnavailable):
    """A failure that may be over in a moment: worth another try."""


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

    def __init__(self, host: str, *, ca_file: str = "", timeout: float = 10.0) -> None:
        self._host = host
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
        :raises Transient: no answer, 429, or an error of the server.
        :raises RegistryUnavailable: a failure that another try does not cure.
        """
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
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._silent("takes no more requests for the moment (429)")
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._silent(f"has an error ({response.status})")
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
