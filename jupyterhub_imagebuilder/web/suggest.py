"""What a form suggests while somebody types."""

from __future__ import annotations

from jupyterhub_imagebuilder.builds.parse import MAX_LENGTH
from jupyterhub_imagebuilder.errors import (
    ProviderUnavailable,
    RefNotFound,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import recent_document, refs_document
from jupyterhub_imagebuilder.web.operations import Answer, Operation, describes

_REPOSITORY = {
    "name": "repository",
    "in": "query",
    "required": True,
    "description": "As in a question; a ref in it does not matter.",
    "schema": {"type": "string", "maxLength": MAX_LENGTH},
}


class RefsHandler(Handler):
    """``/api/refs``."""

    @describes(
        Operation(
            summary="List branches and tags of a repository",
            answers={200: Answer("The default branch, other branches, then tags.", "Refs")},
            errors=(SpecInvalid, SpecForbidden, RefNotFound, ProviderUnavailable),
            parameters=(_REPOSITORY,),
        )
    )
    async def get(self) -> None:
        """Tell which refs can be chosen."""
        await self.principal()
        text = self.get_query_argument("repository", None)
        if text is None:
            raise SpecInvalid("The repository is missing: ?repository=….")
        self.answer(refs_document(await self.backend.ready().suggestions.refs(text)))


class RepositoriesHandler(Handler):
    """``/api/repositories``."""

    @describes(
        Operation(
            summary="List the repositories that the caller asked for before",
            answers={200: Answer("The newest ones, newest first.", "Repositories")},
        )
    )
    async def get(self) -> None:
        """Tell what can be asked for again."""
        owner = (await self.principal()).owner
        recent = await self.backend.ready().suggestions.recent(owner)
        self.answer({"repositories": [recent_document(each) for each in recent]})
