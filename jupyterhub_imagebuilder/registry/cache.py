"""Look-ups that are asked often, answered from memory for a short while."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock, Registry
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.flights import SingleFlight

#: Entries beyond this number make an insertion sweep out the expired ones.
_SWEEP_AT = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: str | None  #: None only says that older answers are outdated
    expires: float
    order: int


class CachedRegistry:
    """A registry whose positive answers are kept for ``ttl`` seconds.

    Absences and failures are not kept: the first ends with the next push, the second with the
    registry's next answer.

    :param ttl: seconds, counted from the question: a rebuild may move a tag to another digest.
    """

    def __init__(
        self, registry: Registry, *, ttl: float = 30.0, clock: Clock | None = None
    ) -> None:
        self._registry = registry
        self._ttl = ttl
        self._clock = clock or SystemClock()
        self._entries: dict[ImageName, _Entry] = {}
        self._order = count()
        self._flights: SingleFlight[ImageName, str | None] = SingleFlight()

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        """The image's digest, None when there is no such image; as the registry's own.

        Concurrent look-ups of one image are one request.

        :param fresh: ask the registry now, and do not join a question asked before this one: it
            may be answered with what was there before a push.
        :raises RegistryUnavailable: no answer.
        :raises RegistryDenied: our credentials are refused.
        """
        entry = self._entries.get(image)
        if not fresh and entry and entry.digest and self._clock.now() < entry.expires:
            return entry.digest
        return await self._flights.run(image, partial(self._ask, image), anew=fresh)

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:
        """The size of the image's layers; asked once for each build, so never remembered."""
        return await self._registry.size(image, digest, platform)

    async def check(self) -> None:
        """Return when the registry answers; never from memory."""
        await self._registry.check()

    async def prepare(self, image: ImageName) -> None:
        """Make sure that the image can be pushed."""
        await self._registry.prepare(image)

    async def remove(self, image: ImageName) -> None:
        """Delete the image's tag, and forget it; what was asked before is outdated then."""
        try:
            await self._registry.remove(image)
        finally:
            # also where it failed: the answer may be lost, and the tag with it
            self._keep(image, _Entry(None, self._clock.now() + self._ttl, next(self._order)))

    async def close(self) -> None:
        """End the look-ups under way; the registry behind is its maker's to close."""
        await self._flights.close()

    async def _ask(self, image: ImageName) -> str | None:
        order, expires = next(self._order), self._clock.now() + self._ttl
        digest = await self._registry.digest(image)
        known = self._entries.get(image)
        # An answer that took its time must not replace that of a later question.
        if known is None or known.order < order:
            self._keep(image, _Entry(digest, expires, order))
        return digest

    def _keep(self, image: ImageName, entry: _Entry) -> None:
        self._entries[image] = entry
        if len(self._entries) > _SWEEP_AT:
            now = self._clock.now()
            self._entries = {i: e for i, e in self._entries.items() if now < e.expires}
