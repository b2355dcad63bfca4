"""From what a person typed to what is to be built: repository, commit, and its names."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from jupyterhub_imagebuilder.builds import naming
from jupyterhub_imagebuilder.builds.ids import new_id
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.parse import parse, provider_of
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import FULL_COMMIT, Clock, RepoProvider
from jupyterhub_imagebuilder.errors import SpecInvalid


class Resolver:
    """Reads, resolves and names.

    :param image_prefix: registry and start of the repository of all images.
    :param settings: what else changes an image.
    """

    def __init__(
        self,
        *,
        providers: Sequence[RepoProvider],
        policy: SpecPolicy,
        image_prefix: str,
        settings: Mapping[str, object],
        platform: str,
        clock: Clock,
    ) -> None:
        self.providers = providers
        self._policy = policy
        self._image_prefix = image_prefix
        self._settings = settings
        self._platform = platform
        self._clock = clock
        # a course asks for one commit a hundred times
        self._names = functools.lru_cache(maxsize=1024)(self._named)

    def read(self, text: str) -> RepoSpec:
        """Which repository and ref a text names; asks nobody.

        :raises SpecInvalid: none.
        :raises SpecForbidden: one that may not be built here.
        """
        spec = parse(text, self.providers)
        self._policy.check(spec)
        return spec

    async def resolve(self, spec: RepoSpec, commit: str | None = None) -> ResolvedRef:
        """Which commit the ref means now.

        :param commit: the one that it meant earlier, which is taken as it is.
        :raises ImageBuilderError: as the port's; :class:`SpecInvalid` for what is no commit.
        """
        provider = provider_of(spec.provider, self.providers)
        if commit is None:
            return await provider.resolve(spec)
        if not provider.commit_form.fullmatch(commit):
            raise SpecInvalid(
                "The commit has to be a full commit id of 40 hexadecimal digits."
                if provider.commit_form is FULL_COMMIT
                else "The commit is no id of a version at this repository's host."
            )
        return ResolvedRef(spec, commit)

    def request(
        self, resolved: ResolvedRef, owner: Owner, *, rebuild: bool = False
    ) -> BuildRequest:
        """A new request of an owner for what was resolved.

        :param rebuild: the image is made although there is one.
        :raises SpecForbidden: the repository may not be built here any more.
        """
        self._policy.check(resolved.spec)
        key, name, image = self._names(resolved)
        return BuildRequest(
            id=new_id(rebuild=rebuild),
            key=key,
            name=name,
            resolved=resolved,
            image=image,
            owner=owner,
            created=self._clock.now(),
        )

    def _named(self, resolved: ResolvedRef) -> tuple[str, str, ImageName]:
        """Key, build name and image."""
        key = naming.build_key(resolved, self._settings, self._platform)
        image = naming.image_name(resolved, key, self._image_prefix)
        return key, naming.build_name(resolved, key), image
