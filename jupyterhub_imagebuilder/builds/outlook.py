"""What a request would lead to, told without making it."""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.model import ImageName, Owner, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Store
from jupyterhub_imagebuilder.builds.queue import QueueLimits, Usage
from jupyterhub_imagebuilder.builds.record import BuildRecord, Kept
from jupyterhub_imagebuilder.errors import StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that a form waits for what it could do without.
_PATIENCE = 2.0
#: Earlier builds of a repository that say how long the next one takes.
_SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be, and what is."""

    allowed: QueueLimits
    used: Usage
    queue: float  #: seconds that a build may wait for its turn


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request would lead to now."""

    resolved: ResolvedRef
    image: ImageName
    digest: str | None  #: what the registry has of that image; None: it has to be built
    under_way: bool  #: somebody builds it: a request would join that build
    build: Build | None  #: that build, where the viewer may see it
    seconds: float | None  #: that a build of the repository takes; None: nobody knows
    limits: Limits
    familiar: bool = False  #: the viewer has an image of the repository, or everybody has

    @property
    def why(self) -> str:
        """One sentence: what a request would do, and why."""
        if self.digest is not None:
            return "The image of this commit was built before; nothing has to be built."
        if self.under_way:
            return "A build of this commit is under way; who asks now joins it."
        if self.is_full:
            return "There is no image of this commit yet, and the queue takes no build just now."
        return "There is no image of this commit yet; it has to be built."

    @property
    def is_full(self) -> bool:
        """Whether a new build would be refused for the number of those that wait."""
        waiting = self.limits.allowed.waiting
        return bool(waiting) and self.limits.used.waiting >= waiting


def visible(build: Build | None, viewer: Owner) -> Build | None:
    """The build, if the viewer may see it."""
    return build if build is not None and build.visible_to(viewer) else None


async def nice_to_know(answer: Awaitable[T], what: str, *, otherwise: T) -> T:
    """What the store answers, unless it is away or slow: a form is complete without it.

    :param what: for the log, in words.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            return await answer
    except StoreUnavailable as error:
        log.info("%s cannot be told: %s", what, error.message)
    except TimeoutError:
        log.info("%s cannot be told: the database does not answer in time", what)
    return otherwise


async def familiar(
    store: Store | None, here: Iterable[Build], repository: str, viewer: Owner
) -> bool:
    """Whether the viewer has an image of the repository, or one of its is published.

    :param here: builds in memory, which need not be stored.
    """
    if any(
        build.digest and (build.published or build.asked_by(viewer))
        for build in here
        if build.request.spec.repository == repository
    ):
        return True
    if store is None:
        return False
    question = store.familiar(repository, viewer)
    return await nice_to_know(question, "whether a repository is known", otherwise=False)


async def expected(store: Store | None, repository: str) -> float | None:
    """Seconds that a build of the repository takes, by the newest ones; None: nobody knows."""
    if store is None:
        return None
    nothing: list[Kept] = []
    question = store.built(repository, _SAMPLE)
    earlier = await nice_to_know(question, "how long a build takes", otherwise=nothing)
    seconds = [taken for kept in earlier if (taken := _taken(kept.record)) is not None]
    return statistics.median(seconds) if seconds else None


def _taken(record: BuildRecord) -> float | None:
    """Seconds from the first work on a build to its end; its time in the queue is no part."""
    began = min(
        (
            when
            for phase, when in record.entered
            if phase is not Phase.WAITING and not phase.terminal
        ),
        default=None,
    )
    if began is None or record.finished is None:
        return None
    return max(record.finished - began, 0.0)
