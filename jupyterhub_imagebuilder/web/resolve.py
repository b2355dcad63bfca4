"""What there is to choose, and what a choice would lead to; nothing here begins anything."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.errors import (
    ImageBuilderError,
    ProviderUnavailable,
    RefNotFound,
    RegistryDenied,
    RegistryUnavailable,
    ServiceUnavailable,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.auth import owner_named
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import limits_document, outlook_document
from jupyterhub_imagebuilder.web.forms import provider_document
from jupyterhub_imagebuilder.web.operations import Answer, Operation, describes

#: What reading a repository's address, and looking its image up, can be refused with.
REFUSALS: tuple[type[ImageBuilderError], ...] = (
    SpecInvalid,
    SpecForbidden,
    RefNotFound,
    ProviderUnavailable,
    RegistryUnavailable,
    RegistryDenied,
)


class ResolveHandler(Handler):
    """``/api/resolve``."""

    @describes(
        Operation(
            summary="Say what a repository means now, and what building it would do",
            body="Question",
            answers={200: Answer("What it means.", "Outlook")},
            errors=REFUSALS,
        )
    )
    async def post(self) -> None:
        """Answer as if the repository had been asked for, without doing anything."""
        text, commit, owner = await question(self)
        outlook = await self.backend.ready().look(text, owner, commit)
        self.answer(outlook_document(outlook))


class ProvidersHandler(Handler):
    """``/api/providers``."""

    @describes(
        Operation(
            summary="List the kinds of repositories that can be built",
            answers={200: Answer("All of them, in the order of their ids.", "Providers")},
        )
    )
    async def get(self) -> None:
        """Tell what a form needs to know."""
        await self.principal()
        providers = sorted(self.backend.ready().providers, key=lambda provider: provider.id)
        self.answer({"providers": [provider_document(provider) for provider in providers]})


class RepoProvidersHandler(Handler):
    """``/api/repoproviders``: the same for BinderHub's clients, who ask it without a token."""

    @describes(
        Operation(
            summary="The same in BinderHub's form",
            answers={200: Answer("All of them, in the admin's order.", "RepoProviders")},
            errors=(ServiceUnavailable,),
            secured=False,
        )
    )
    async def get(self) -> None:
        """Tell what a form of BinderHub needs to know; it names no host."""
        documents = map(provider_document, self.backend.ready().providers)
        self.write(json.dumps([wire.provider_to_binderhub(document) for document in documents]))


class LimitsHandler(Handler):
    """``/api/limits``."""

    @describes(
        Operation(
            summary="Say which limits are in force for the caller, and how much of them is used",
            answers={200: Answer("The limits.", "Limits")},
        )
    )
    async def get(self) -> None:
        """Tell what is configured, and what is used now."""
        owner = (await self.principal()).owner
        self.answer(limits_document(self.backend.ready().limits(owner)))


async def question(handler: Handler) -> tuple[str, str | None, Owner]:
    """Repository, commit and owner that a body names.

    :raises SpecInvalid: it is of another form.
    """
    principal = await handler.principal()
    body = handler.json_body(required={"repository"}, optional={"commit", "owner"})
    repository, commit = text_of(body["repository"], "repository"), body.get("commit")
    if commit is not None:
        commit = text_of(commit, "commit")
    return repository, commit, owner_named(body.get("owner"), principal)


def text_of(value: Any, name: str) -> str:
    """A text of a body.

    :raises SpecInvalid: it is none.
    """
    if not isinstance(value, str):
        raise SpecInvalid(f"The {name} has to be text.")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can hold halves of characters
        raise SpecInvalid(f"The {name} has characters in it that are none.") from error
    return value
