"""What changes in the builds that the caller may see, live."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from jupyterhub_imagebuilder.builds.changes import Changes
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.web.documents import change_document
from jupyterhub_imagebuilder.web.operations import STREAM, Answer, Operation, describes
from jupyterhub_imagebuilder.web.sse import Frame
from jupyterhub_imagebuilder.web.streaming import StreamingHandler


class ChangesHandler(StreamingHandler):
    """``/api/changes``."""

    @describes(
        Operation(
            summary="Watch the builds that the caller may see: each that changes, as it is then",
            answers={
                200: Answer(
                    "Server-sent events; from the first one on, 'listening', none is missed.",
                    "Change",
                    media=STREAM,
                )
            },
        )
    )
    async def get(self) -> None:
        """Stream what changes from now on."""
        owner = (await self.principal()).owner
        await self.stream(_frames(self.backend.ready().changes, owner))


async def _frames(changes: Changes, owner: Owner) -> AsyncGenerator[Frame, None]:
    with changes.viewer(owner) as viewer:
        yield Frame(json.dumps({"type": "listening"}))
        async with aclosing(viewer.changes()) as found:
            async for change in found:
                yield Frame(json.dumps(change_document(change, owner)))
