"""What a form suggests: branches and tags of a repository, and what somebody asked for before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from jupyterhub_imagebuilder.builds.catalog import Catalog
from jupyterhub_imagebuilder.builds.model import Owner, Refs, RepoSpec
from jupyterhub_imagebuilder.builds.outlook import nice_to_know
from jupyterhub_imagebuilder.builds.parse import parse, provider_of
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import RepoProvider, Store
from jupyterhub_imagebuilder.builds.record import Wanted
from jupyterhub_imagebuilder.errors import ImageBuilderError

#: Repositories that are suggested.
_RECENT = 20
#: The default branch, as providers write it.
_HEAD = "HEAD"


@dataclass(frozen=True, slots=True)
class Recent:
    """A repository that somebody asked for before."""

    text: str  #: what :func:`parse` reads as it
    wanted: Wanted


class Suggestions:
    """Answers a form."""

    def __init__(
        self,
        providers: Sequence[RepoProvider],
        policy: SpecPolicy,
        catalog: Catalog,
        store: Store | None,
    ) -> None:
        self._providers = providers
        self._policy = policy
        self._catalog = catalog
        self._store = store

    async def refs(self, text: str) -> Refs:
        """Branches and tags of what a person typed, whatever ref is named in it.

        :raises ImageBuilderError: it may not be built, or cannot be told.
        """
        spec = parse(text, self._providers)
        self._policy.check(spec)
        return await provider_of(spec.provider, self._providers).refs(spec)

    async def recent(self, owner: Owner) -> list[Recent]:
        """What somebody asked for before and may ask for again, newest first."""
        found: dict[tuple[str, str, str], Wanted] = {}
        here = [
            Wanted(build.request.spec, build.created)
            for build in self._catalog.here()
            if build.asked_by(owner)
        ]
        for wanted in [*here, *await self._stored(owner)]:
            key = (wanted.spec.provider, wanted.spec.repository, wanted.spec.ref)
            if key not in found or found[key].when < wanted.when:
                found[key] = wanted
        newest = sorted(found.values(), key=lambda wanted: wanted.when, reverse=True)
        texts = ((self._text_of(wanted.spec), wanted) for wanted in newest)
        # what is not shown is not read: a program may have asked for a thousand
        return list(islice((Recent(text, wanted) for text, wanted in texts if text), _RECENT))

    async def _stored(self, owner: Owner) -> list[Wanted]:
        if self._store is None:
            return []
        nothing: list[Wanted] = []
        # some of them may not be built any more
        question = self._store.wanted(owner, 2 * _RECENT)
        return await nice_to_know(question, "what somebody asked for before", otherwise=nothing)

    def _text_of(self, spec: RepoSpec) -> str | None:
        """What one would paste to get it; None where it is not to be had any more."""
        ref = "" if spec.ref == _HEAD else f"@{spec.ref}"
        for text in (f"{spec.repository}{ref}", f"build:{spec}"):
            try:
                read = parse(text, self._providers)
                self._policy.check(read)
            except ImageBuilderError:
                continue
            if (read.provider, read.repository, read.ref) == (
                spec.provider,
                spec.repository,
                spec.ref,
            ):
                return text
        return None
