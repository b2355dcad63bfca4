"""The REST API: start, observe and cancel are separate verbs.  See docs/reference/rest-api.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, LogLine
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.errors import (
    BuildNotFound,
    BuildUnderWay,
    ImageUnknown,
    QuotaExceeded,
    SpecForbidden,
    SpecInvalid,
    StoreUnavailable,
)
from jupyterhub_imagebuilder.web.auth import owner_named
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import build_document, event_document
from jupyterhub_imagebuilder.web.operations import STREAM, Answer, Operation, describes
from jupyterhub_imagebuilder.web.resolve import REFUSALS, question, text_of
from jupyterhub_imagebuilder.web.sse import Frame, SharedFrames
from jupyterhub_imagebuilder.web.streaming import StreamingHandler

#: Most builds of one listing.
_LISTED = 1000
#: Refusals of whatever is done with one build.
_ONE = (BuildNotFound, StoreUnavailable)
_WHERE = {"Location": "The address of the build."}
_LISTING = (
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": _LISTED, "default": 100},
    },
    {
        "name": "before",
        "in": "query",
        "description": "The 'created' of the last build of the listing before.",
        "schema": {"type": "string", "format": "date-time"},
    },
    {
        "name": "own",
        "in": "query",
        "description": "Whether an admin, too, is told of their own and published builds alone.",
        "schema": {"type": "boolean", "default": False},
    },
)
_RESUME = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last line that the client has.",
    "schema": {"type": "string"},
}


class BuildsHandler(Handler):
    """``/api/builds``."""

    @describes(
        Operation(
            summary="List the caller's builds, and published ones; for an admin, all",
            answers={200: Answer("The newest ones, newest first.", "Builds")},
            errors=(SpecInvalid,),
            parameters=_LISTING,
        )
    )
    async def get(self) -> None:
        """List the builds that the caller may see."""
        owner = (await self.principal()).owner
        limit, before, own = _listing(self)
        viewer = dataclasses.replace(owner, admin=False) if own else owner
        builds = await self.backend.ready().list(viewer, limit, before)
        self.answer({"builds": [build_document(build, owner) for build in builds]})

    @describes(
        Operation(
            summary="Find the image of a repository, build it, or join the build under way",
            body="Question",
            answers={
                200: Answer("It is over: the image was found.", "Build", headers=_WHERE),
                202: Answer("It is under way.", "Build", headers=_WHERE),
            },
            errors=(*REFUSALS, QuotaExceeded, StoreUnavailable),
        )
    )
    async def post(self) -> None:
        """Resolve a repository, find its image, or build it."""
        repository, commit, owner = await question(self)
        answer_begun(self, await self.backend.ready().request(repository, owner, commit), owner)


class BuildHandler(Handler):
    """``/api/builds/<id>``."""

    @describes(
        Operation(
            summary="Show a build",
            answers={200: Answer("The build.", "Build")},
            errors=_ONE,
        )
    )
    async def get(self, build_id: str) -> None:
        """Show one build."""
        owner = (await self.principal()).owner
        self.answer(build_document(await self.backend.ready().get(build_id, owner), owner))

    @describes(
        Operation(
            summary="Delete a build that is over from the history; its image stays",
            answers={204: Answer("It is gone.")},
            errors=(*_ONE, BuildUnderWay),
        )
    )
    async def delete(self, build_id: str) -> None:
        """Delete one build from the history."""
        owner = (await self.principal()).owner
        await self.backend.ready().forget(build_id, owner)
        self.clear_header("Content-Type")
        self.set_status(HTTPStatus.NO_CONTENT)


class CancelHandler(Handler):
    """``/api/builds/<id>/cancel``."""

    @describes(
        Operation(
            summary="End a build for everyone who waits for it",
            answers={200: Answer("The build as it ended.", "Build")},
            errors=_ONE,
        )
    )
    async def post(self, build_id: str) -> None:
        """End a build for everyone; one that is over stays as it ended."""
        owner = (await self.principal()).owner
        self.answer(build_document(await self.backend.ready().cancel(build_id, owner), owner))


class RebuildHandler(Handler):
    """``/api/builds/<id>/rebuild``."""

    @describes(
        Operation(
            summary="Build the commit of a build again, although its image is there",
            answers={
                200: Answer("It is over already.", "Build", headers=_WHERE),
                202: Answer("The build that does it.", "Build", headers=_WHERE),
            },
            errors=(*_ONE, SpecForbidden, QuotaExceeded),
        )
    )
    async def post(self, build_id: str) -> None:
        """Begin a new build of the same commit, or join the one under way."""
        owner = (await self.principal()).owner
        answer_begun(self, await self.backend.ready().rebuild(build_id, owner), owner)


class EventsHandler(StreamingHandler):
    """``/api/builds/<id>/events``."""

    @describes(
        Operation(
            summary="Watch a build: its events so far, then live, until it is over",
            answers={200: Answer("Server-sent events.", "Event", media=STREAM)},
            errors=_ONE,
            parameters=(_RESUME,),
        )
    )
    async def get(self, build_id: str) -> None:
        """Stream a build's events, behind the line that the client has already."""
        owner = (await self.principal()).owner
        build = await self.backend.ready().get(build_id, owner)
        await self.stream(_frames(build, self.request.headers.get("Last-Event-ID")))


class ImagesHandler(Handler):
    """``/api/images``."""

    @describes(
        Operation(
            summary="Ask whether an image is the result of a build that the caller may see",
            body="ImageQuestion",
            answers={200: Answer("It is.", "Image")},
            errors=(SpecInvalid, ImageUnknown, StoreUnavailable),
        )
    )
    async def post(self) -> None:
        """Tell whether an image is the result of a build that the owner may see."""
        principal = await self.principal()
        body = self.json_body(required={"image"}, optional={"owner"})
        image = text_of(body["image"], "image")
        owner = owner_named(body.get("owner"), principal)
        self.answer({"image": await self.backend.ready().vouch(image, owner)})


def answer_begun(handler: Handler, build: Build, owner: Owner) -> None:
    """Show a build that was asked for, and say where it is."""
    handler.set_header("Location", f"{handler.settings['prefix']}api/builds/{build.id}")
    status = HTTPStatus.OK if build.over else HTTPStatus.ACCEPTED
    handler.answer(build_document(build, owner), status)


def _listing(handler: Handler) -> tuple[int, float | None, bool]:
    """How many builds, from when on, and whose: ``?limit=``, ``?before=`` and ``?own=``."""
    limit = handler.get_query_argument("limit", "100")
    before = handler.get_query_argument("before", None)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:5]) <= _LISTED):
        raise SpecInvalid(f"The limit has to be a number from 1 to {_LISTED}.")
    own = handler.get_query_argument("own", "false")
    if own not in {"true", "false"}:
        raise SpecInvalid("'own' has to be true or false.")
    if before is None:
        return int(limit), None, own == "true"
    try:
        # a plus that nobody escaped arrives as a space
        moment = datetime.fromisoformat(before.replace(" ", "+"))
    except ValueError as error:
        raise SpecInvalid("'before' has to be a time, as in a build's 'created'.") from error
    # what a build says of its creation names its zone
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(limit), moment.timestamp(), own == "true"


async def _frames(build: Build, after: str | None) -> AsyncGenerator[Frame, None]:
    events = cast("AsyncGenerator[Event, None]", build.events(after))
    async with aclosing(events):
        async for event in events:
            yield _SHARED.of(event)


def _frame(event: Event) -> Frame:
    line_id = event.id if isinstance(event, LogLine) else None
    return Frame(json.dumps(event_document(event)), line_id)


_SHARED: SharedFrames[Event] = SharedFrames(_frame)
