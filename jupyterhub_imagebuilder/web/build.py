"""``GET /build/<provider>/<spec>``: BinderHub's build API, for its clients.

Always 200 and an event stream: those clients read a refusal from a ``failed`` event, and take
another status for a fault of the network.

A line's id is ``<build id>:<event id>``: whoever comes back with one in ``Last-Event-ID`` reads on
in that build, and starts none.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, cast

from tornado.web import HTTPError

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, LogLine, PhaseChanged
from jupyterhub_imagebuilder.errors import (
    AuthenticationRequired,
    BuildNotFound,
    ImageBuilderError,
    ServiceUnavailable,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.auth import Principal
from jupyterhub_imagebuilder.web.sse import Frame
from jupyterhub_imagebuilder.web.streaming import StreamingHandler

log = logging.getLogger(__name__)

_EVENT_ID = re.compile(r"([0-9A-Za-z-]{1,64}):(.{1,256})")


class BuildHandler(StreamingHandler):
    """Starts or joins a build and shows it."""

    async def get(self) -> None:
        """Stream the build; ends behind ``ready`` or ``failed``."""
        await self.stream(self._frames(), _FAREWELL)

    async def principal(self) -> Principal:
        """Who sent the request; old clients put the token into the query."""
        if "Authorization" in self.request.headers or not self.backend.token_in_url:
            return await super().principal()
        try:
            token = self.get_query_argument("token", None)
        except HTTPError as error:  # its message quotes the token
            raise AuthenticationRequired("The token is not valid.") from error
        if not token:
            return await super().principal()
        return await self.backend.authenticator.principal_of(token)

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        try:
            asked, ended = time.time(), False
            build, after = await self._build()
            # one that ended while its request was answered is news, too
            found = build.cached or (build.digest is not None and (build.finished or 0.0) < asked)
            events = cast("AsyncGenerator[Event, None]", build.events(after))
            async with aclosing(events):
                async for event in events:
                    ended = _terminal(event)
                    # whose image is there already hears that, and not how it came to be
                    if ended or not found:
                        yield _event_frame(build, event)
            if not ended:
                yield _FAREWELL
        except ImageBuilderError as error:
            yield _refusal(error)
        except Exception:
            log.exception("a build stream failed")
            yield _refusal(
                ImageBuilderError("The image builder made a mistake; its log says more.")
            )

    async def _build(self) -> tuple[Build, str | None]:
        """The build, and the event behind which the client reads on."""
        principal = await self.principal()
        builds = self.backend.ready()
        known = _EVENT_ID.fullmatch(self.request.headers.get("Last-Event-ID", ""))
        if known is not None:
            with suppress(BuildNotFound, ServiceUnavailable):
                return await builds.get(known[1], principal.owner), known[2]
        provider, spec = split_path(self.request.path, self.settings["prefix"] + "build/")
        spec = wire.spec_from_binderhub(provider, spec)
        return await builds.request_spec(provider, spec, principal.owner), None


def split_path(path: str, base: str) -> tuple[str, str]:
    """Provider and spec, as BinderHub reads them from a path that is still escaped.

    An escaped slash in the spec is not a separator: it belongs to the repository's address.

    :param base: the part of the path in front of the provider.
    :raises SpecInvalid: there is no spec.
    """
    provider, _, spec = path.removeprefix(base).partition("/")
    spec = spec.rstrip("/")
    if not provider or not spec:
        raise SpecInvalid("The address has to be /build/<provider>/<spec>.")
    return provider, spec


def _terminal(event: Event) -> bool:
    return isinstance(event, PhaseChanged) and event.phase.terminal


def _event_frame(build: Build, event: Event) -> Frame:
    event_id = f"{build.id}:{event.id}" if isinstance(event, LogLine) else None
    return _frame(wire.to_binderhub(event), event_id)


def _refusal(error: ImageBuilderError) -> Frame:
    return _frame(wire.error_to_binderhub(error))


def _frame(document: dict[str, Any], event_id: str | None = None) -> Frame:
    return Frame(json.dumps(document), event_id)


_FAREWELL = _refusal(
    ServiceUnavailable(
        "The image builder stops; a build that is under way goes on. Ask again in a minute."
    )
)
