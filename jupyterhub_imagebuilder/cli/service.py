"""The service as the command sees it: three calls of ``docs/reference/rest-api.md``."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp

from jupyterhub_imagebuilder._version import __version__
from jupyterhub_imagebuilder.builds.events import Event
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.hub.sse import read_events

#: Seconds.  A request may resolve a ref at a slow host; a stream has a keepalive every 25 seconds.
_REQUEST: Final = aiohttp.ClientTimeout(total=60, sock_connect=10)
_STREAM: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=75)
_BODY_LIMIT: Final = 1024 * 1024
_LONGEST_WAIT: Final = 60.0
_OK, _REDIRECT, _CLIENT_ERROR, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 300, 400, 404, 429, 500
#: Reasons that pass by themselves.
_PASSING: Final = frozenset(
    {
        Reason.QUOTA,
        Reason.SERVICE_UNAVAILABLE,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.REGISTRY_UNAVAILABLE,
        Reason.EXECUTOR_LOST,
        Reason.STORE_UNAVAILABLE,
    }
)


class Refused(Exception):
    """The service's own refusal.

    :param message: its sentence.
    :param reason: its code; empty where it has none.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


class Unreachable(Exception):
    """No answer, or one that says to come again.

    :param wait: seconds after which the service wants to be asked again; None where it says none.
    """

    def __init__(self, message: str, reason: str = "", wait: float | None = None) -> None:
        super().__init__(message)
        self.message, self.reason, self.wait = message, reason, wait


class Service:
    """A client; use it as a context manager.

    :param url: of the service, with a slash at its end.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": f"jupyterhub-imagebuilder/{__version__}",
        }
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # proxies of the environment, as CI systems have them
        self._session = aiohttp.ClientSession(
            headers=self._headers, trust_env=True, connector=aiohttp.TCPConnector(limit=0)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def address(self, build_id: str) -> str:
        """Where a build is."""
        return f"{self._url}api/builds/{quote(build_id, safe='')}"

    async def build(self, repository: str, commit: str | None = None) -> dict[str, Any]:
        """Find, begin or join a build; asking again is harmless.  Raises as :meth:`cancel`."""
        body = {"repository": repository} | ({"commit": commit} if commit else {})
        return await self._post(f"{self._url}api/builds", body)

    async def cancel(self, build_id: str) -> dict[str, Any]:
        """End a build.

        :raises Refused: the service does not want to.
        :raises Unreachable: it may be worth another try.
        """
        return await self._post(f"{self.address(build_id)}/cancel", {})

    async def events(self, build_id: str, after: str | None) -> AsyncGenerator[Event, None]:
        """The build's events behind a line; ends early where it is cut off.  Raises as the others.

        :param after: the line's id.
        """
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = after
        address = f"{self.address(build_id)}/events"
        async with (
            self._answer("GET", address, timeout=_STREAM, headers=headers) as answer,
            aclosing(read_events(answer.content.iter_any())) as events,
        ):
            async for event in events:
                yield event

    async def _post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._answer("POST", url, timeout=_REQUEST, json=body) as answer:
            document = _document(await _body(answer))
        if document is None or not isinstance(document.get("id"), str):
            raise Refused(f"What answers at {self._url} is no image builder.")
        return document

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, **arguments: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("the client is closed")
        try:
            # a redirect would take the token elsewhere
            async with self._session.request(
                method, url, allow_redirects=False, **arguments
            ) as answer:
                if not _OK <= answer.status < _REDIRECT:
                    raise self._failure(answer, await _body(answer))
                yield answer
        except aiohttp.ClientSSLError as error:
            raise Refused(f"The certificate of {self._url} is not valid: {error}.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"The image builder at {self._url} does not answer.") from error

    def _failure(self, answer: aiohttp.ClientResponse, body: bytes) -> Exception:
        document = _document(body) or {}
        message, reason = document.get("message"), str(document.get("reason") or "")
        if not isinstance(message, str) or "reason" not in document:
            return self._foreign(answer)
        if reason in _PASSING:
            return Unreachable(message, reason, _wait(answer.headers.get("Retry-After")))
        return Refused(message, reason)

    def _foreign(self, answer: aiohttp.ClientResponse) -> Exception:
        """An answer that is not the service's: a proxy's, or the hub's."""
        if answer.status >= _SERVER_ERROR or answer.status == _TOO_MANY:
            return Unreachable(f"The image builder at {self._url} does not answer.")
        if answer.status < _CLIENT_ERROR:
            return Refused(f"{self._url} leads elsewhere: use the address that it leads to.")
        if answer.status == _NOT_FOUND:
            return Refused(f"There is no image builder at {self._url}: see --hub and --service.")
        return Refused(f"{self._url} refuses to answer (HTTP {answer.status}).")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            break
    return bytes(body)


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _wait(header: str | None) -> float | None:
    if header is None or not (header.isascii() and header.isdigit()):
        return None
    return min(float(header[:6]), _LONGEST_WAIT)
