"""What only admins may; others get 403."""

from __future__ import annotations

from jupyterhub_imagebuilder.errors import (
    BuildNotFound,
    BuildUnderWay,
    ImageUnknown,
    StoreUnavailable,
)
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import build_document, overview_document
from jupyterhub_imagebuilder.web.operations import Answer, Operation, describes


class PublishedHandler(Handler):
    """``/api/builds/<id>/published``."""

    @describes(
        Operation(
            summary="Put a build into everybody's list: anyone may start a server from its image",
            answers={200: Answer("The build.", "Build")},
            errors=(BuildNotFound, BuildUnderWay, ImageUnknown, StoreUnavailable),
        )
    )
    async def put(self, build_id: str) -> None:
        """Publish a build; again is fine."""
        await self._publish(build_id, published=True)

    @describes(
        Operation(
            summary="Take a build out of everybody's list",
            answers={200: Answer("The build.", "Build")},
            errors=(BuildNotFound, StoreUnavailable),
        )
    )
    async def delete(self, build_id: str) -> None:
        """Withdraw a build; servers that run from it go on."""
        await self._publish(build_id, published=False)

    async def _publish(self, build_id: str, *, published: bool) -> None:
        owner = (await self.principal()).owner
        administration = self.backend.ready().administration
        build = await administration.publish(build_id, owner, published=published)
        self.answer(build_document(build, owner))


class OverviewHandler(Handler):
    """``/api/overview``."""

    @describes(
        Operation(
            summary="Say what goes on: limits, failures of the last week, images, the disk",
            answers={200: Answer("The overview.", "Overview")},
            errors=(StoreUnavailable,),
        )
    )
    async def get(self) -> None:
        """Tell what an admin wants to know."""
        owner = (await self.principal()).owner
        overview = await self.backend.ready().administration.overview(owner)
        self.answer(overview_document(overview))
