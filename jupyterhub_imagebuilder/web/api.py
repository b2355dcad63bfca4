"""The REST API: start, observe and cancel are separate verbs.  See docs/reference/rest-api.md."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, LogLine
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.web.auth import owner_named
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import build_document, event_document
from jupyterhub_imagebuilder.web.sse import Frame, SharedFrames
from jupyterhub_imagebuilder.web.streaming import StreamingHandler

#: Most builds of one listing.
_LISTED = 1000


class BuildsHandler(Handler):
    """``/api/builds``."""

    async def get(self) -> None:
        """List the builds that the caller may see."""
        owner = (await self.principal()).owner
        limit, before = _listing(self)
        builds = await self.backend.ready().list(owner, limit, before)
        self.answer({"builds": [build_document(build) for build in builds]})

    async def post(self) -> None:
        """Resolve a repository, find its image, or build it."""
        principal = await self.principal()
        body = self.json_body(required={"repository"}, optional={"commit", "owner"})
        repository, commit = body["repository"], body.get("commit")
        if not isinstance(repository, str):
            raise SpecInvalid("The repository has to be text.")
        if not isinstance(commit, str | None):
            raise SpecInvalid("The commit has to be text.")
        owner = owner_named(body.get("owner"), principal)
        build = await self.backend.ready().request(repository, owner, commit)
        self.set_header("Location", f"{self.settings['prefix']}api/builds/{build.id}")
        self.answer(build_document(build), HTTPStatus.OK if build.over else HTTPStatus.ACCEPTED)


class BuildHandler(Handler):
    """``/api/builds/<id>``."""

    async def get(self, build_id: str) -> None:
        """Show one build."""
        owner = (await self.principal()).owner
        self.answer(build_document(await self.backend.ready().get(build_id, owner)))


class CancelHandler(Handler):
    """``/api/builds/<id>/cancel``."""

    async def post(self, build_id: str) -> None:
        """End a build for everyone; one that is over stays as it ended."""
        owner = (await self.principal()).owner
        self.answer(build_document(await self.backend.ready().cancel(build_id, owner)))


class EventsHandler(StreamingHandler):
    """``/api/builds/<id>/events``."""

    async def get(self, build_id: str) -> None:
        """Stream a build's events, behind the line that the client has already."""
        owner = (await self.principal()).owner
        build = await self.backend.ready().get(build_id, owner)
        await self.stream(_frames(build, self.request.headers.get("Last-Event-ID")))


class ImagesHandler(Handler):
    """``/api/images``."""

    async def post(self) -> None:
        """Tell whether an image is the result of a build that the owner may see."""
        principal = await self.principal()
        body = self.json_body(required={"image"}, optional={"owner"})
        if not isinstance(body["image"], str):
            raise SpecInvalid("The image has to be text.")
        owner = owner_named(body.get("owner"), principal)
        self.answer({"image": await self.backend.ready().vouch(body["image"], owner)})


def _listing(handler: Handler) -> tuple[int, float | None]:
    """How many builds, and from when on, ``?limit=`` and ``?before=`` ask for."""
    limit = handler.get_query_argument("limit", "100")
    before = handler.get_query_argument("before", None)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:5]) <= _LISTED):
        raise SpecInvalid(f"The limit has to be a number from 1 to {_LISTED}.")
    if before is None:
        return int(limit), None
    try:
        # a plus that nobody escaped arrives as a space
        moment = datetime.fromisoformat(before.replace(" ", "+"))
    except ValueError as error:
        raise SpecInvalid("'before' has to be a time, as in a build's 'created'.") from error
    # what a build says of its creation names its zone
    return int(limit), (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _frames(build: Build, after: str | None) -> AsyncGenerator[Frame, None]:
    events = cast("AsyncGenerator[Event, None]", build.events(after))
    async with aclosing(events):
        async for event in events:
            yield _SHARED.of(event)


def _frame(event: Event) -> Frame:
    line_id = event.id if isinstance(event, LogLine) else None
    return Frame(json.dumps(event_document(event)), line_id)


_SHARED: SharedFrames[Event] = SharedFrames(_frame)
