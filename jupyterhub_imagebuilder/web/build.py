"""``GET /build/<provider>/<spec>``: BinderHub's build API, for its clients.

Always 200 and an event stream: those clients read a refusal from a ``failed`` event, and take
another status for a fault of the network.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from tornado.web import HTTPError

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, PhaseChanged
from jupyterhub_imagebuilder.errors import AuthenticationRequired, ImageBuilderError, SpecInvalid
from jupyterhub_imagebuilder.web.auth import Principal
from jupyterhub_imagebuilder.web.sse import Frame
from jupyterhub_imagebuilder.web.streaming import StreamingHandler

log = logging.getLogger(__name__)


class BuildHandler(StreamingHandler):
    """Starts or joins a build and shows it."""

    async def get(self, _path: str | None) -> None:
        """Stream the build; ends behind ``ready`` or ``failed``."""
        await self.stream(self._frames())

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
            build = await self._build()
            found = build.digest is not None
            events = cast("AsyncGenerator[Event, None]", build.events())
            async with aclosing(events):
                async for event in events:
                    # whose image is there already hears that, and not how it came to be
                    if found and not _terminal(event):
                        continue
                    yield _frame(wire.to_binderhub(event))
        except ImageBuilderError as error:
            yield _frame(wire.error_to_binderhub(error))
        except Exception:
            log.exception("a build stream failed")
            fault = ImageBuilderError("The image builder made a mistake; its log says more.")
            yield _frame(wire.error_to_binderhub(fault))

    async def _build(self) -> Build:
        principal = await self.principal()
        provider, spec = split_path(self.request.path, self.settings["prefix"] + "build/")
        return await self.backend.ready().request_spec(provider, spec, principal.owner)


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


def _frame(document: dict[str, Any]) -> Frame:
    return Frame(json.dumps(document))
