"""Talks to the image builder, over the REST API of ``docs/reference/rest-api.md``.

Each call has a session of its own: nothing is left open when the hub ends, and no call waits for
another one's connection (a stream lasts as long as its build).
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from jupyterhub_imagebuilder.builds.events import Event
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    AuthenticationRequired,
    BuildFailed,
    BuildNotFound,
    ExecutorUnavailable,
    ImageBuilderError,
    ImageUnknown,
    ProviderUnavailable,
    Reason,
    RefNotFound,
    RegistryDenied,
    RegistryUnavailable,
    ServiceUnavailable,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.hub.sse import read_events, reason_of

log = logging.getLogger(__name__)

#: Seconds.  A request may resolve a ref at a slow host; a stream has a keepalive every 25 seconds.
_REQUEST: Final = aiohttp.ClientTimeout(total=60, sock_connect=5)
_STREAM: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=75)
_HTTP_ERROR: Final = 400

_ERRORS: Final[dict[Reason, type[ImageBuilderError]]] = {
    error.reason: error
    for error in (
        SpecInvalid,
        SpecForbidden,
        RefNotFound,
        ProviderUnavailable,
        RegistryUnavailable,
        RegistryDenied,
        ExecutorUnavailable,
        BuildNotFound,
        ImageUnknown,
        AuthenticationRequired,
        AccessDenied,
        ServiceUnavailable,
    )
}


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where the service is, and the token that it knows the hub by."""

    url: str  #: with the service's prefix, and a slash at its end
    token: str

    def __repr__(self) -> str:
        return f"ServiceAddress({self.url!r})"


@dataclass(frozen=True, slots=True)
class BuildAnswer:
    """A build, as the service describes it."""

    id: str
    phase: Phase
    message: str
    commit: str
    reason: Reason | None = None
    image: str | None = None
    digest: str | None = None


class ImageBuilderClient:
    """The service's client in the hub."""

    def __init__(self, address: ServiceAddress) -> None:
        self._address = address

    async def start_build(self, text: str, owner: Owner, commit: str | None = None) -> BuildAnswer:
        """Find, start or join the build of a repository.

        :param text: what the user typed.
        :param commit: the commit that it meant before; None is whatever it means now.
        :raises ServiceUnavailable: no answer; asking again is harmless.
        :raises ImageBuilderError: the service's refusal.
        """
        body = {"repository": text, "owner": _owner(owner)}
        if commit:
            body["commit"] = commit
        return _answer(await self._post("api/builds", body))

    async def vouch(self, image: str, owner: Owner) -> str:
        """The pinned name of an image that a build of this user's stands behind.

        :raises ImageUnknown: there is none.
        :raises ServiceUnavailable: no answer.
        """
        answer = await self._post("api/images", {"image": image, "owner": _owner(owner)})
        name = answer.get("image")
        if not isinstance(name, str):
            raise ServiceUnavailable("The image builder gave an answer that cannot be read.")
        return name

    async def events(self, build_id: str, after: str | None = None) -> AsyncGenerator[Event, None]:
        """The build's events; ends without a terminal phase when it is cut off.

        :param after: id of the line behind which they begin; None is the first.
        :raises ServiceUnavailable: no answer, or the connection broke.
        :raises BuildNotFound: the service does not know the build.
        """
        path = f"api/builds/{quote(build_id, safe='')}/events"
        async with (
            self._request("GET", path, _STREAM, after=after) as response,
            aclosing(read_events(response.content.iter_any())) as events,
        ):
            async for event in events:
                yield event

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._request("POST", path, _REQUEST, body) as response:
            try:
                answer = json.loads(await response.read())
            except ValueError as error:
                raise ServiceUnavailable(
                    "The image builder gave an answer that cannot be read."
                ) from error
        return answer if isinstance(answer, dict) else {}

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # two limits of aiohttp's own kind
        body: Mapping[str, Any] | None = None,
        after: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {self._address.token}"}
        if after is not None:
            headers["Last-Event-ID"] = after
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.request(
                    method, self._address.url + path, json=body, allow_redirects=False
                ) as response,
            ):
                if response.status >= _HTTP_ERROR:
                    raise _error(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("No answer from the image builder: %s", error)
            raise ServiceUnavailable(
                "The image builder does not answer; try again in a minute."
            ) from error


def pinned(image: str | None, digest: str | None) -> str | None:
    """``repository@sha256:…`` from an image's name and digest; None while one is missing.

    >>> pinned("registry.example.org:5000/team/hello:4b82", "sha256:ab")
    'registry.example.org:5000/team/hello@sha256:ab'
    """
    if not image or not digest:
        return None
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@{digest}"


def _owner(owner: Owner) -> dict[str, Any]:
    return {"name": owner.name, "groups": sorted(owner.groups), "admin": owner.admin}


def _answer(data: Mapping[str, Any]) -> BuildAnswer:
    try:
        return BuildAnswer(
            id=str(data["id"]),
            phase=Phase(data["phase"]),
            message=str(data.get("message") or ""),
            commit=str(data["commit"]),
            reason=reason_of(data.get("reason")),
            image=data.get("image"),
            digest=data.get("digest"),
        )
    except (KeyError, ValueError) as error:
        raise ServiceUnavailable("The image builder gave an answer that cannot be read.") from error


def _error(status: int, body: bytes) -> ImageBuilderError:
    """The service's error as ours; what a proxy or a crash answers means that it is not there."""
    try:
        data = json.loads(body)
        message, code = str(data["message"]), str(data["reason"])
    except (ValueError, KeyError, TypeError):
        return ServiceUnavailable(f"The image builder answered with an error (HTTP {status}).")
    reason = reason_of(code) or Reason.INTERNAL
    known = _ERRORS.get(reason)
    if known is not None:
        return known(message)
    kind = ImageBuilderError if reason is Reason.INTERNAL else BuildFailed
    return kind(message, reason)
