"""What only admins may: put builds into everybody's list, and see what goes on."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.catalog import Catalog
from jupyterhub_imagebuilder.builds.changes import Changes
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.outlook import Limits
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Clock, Store
from jupyterhub_imagebuilder.builds.record import Failures, Figures
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildNotFound,
    BuildUnderWay,
    ImageUnknown,
    Reason,
)

log = logging.getLogger(__name__)

#: Seconds for which failures are counted.
_LOOK_BACK = 7 * 86400.0
_NONE = "There is no such build."


@dataclass(frozen=True, slots=True)
class Overview:
    """What goes on."""

    limits: Limits
    figures: Figures
    since: float  #: from when on failures are counted, in seconds since the epoch


class Administration:
    """Use cases of admins.

    :param limits: those in force for somebody.
    """

    def __init__(
        self,
        catalog: Catalog,
        changes: Changes,
        store: Store | None,
        clock: Clock,
        limits: Callable[[Owner], Limits],
    ) -> None:
        self._catalog = catalog
        self._changes = changes
        self._store = store
        self._clock = clock
        self._limits = limits

    async def publish(self, build_id: str, viewer: Owner, *, published: bool) -> Build:
        """Put a build into everybody's list, from where anyone may start its image, or take it out.

        :raises AccessDenied: the viewer is no admin.
        :raises BuildNotFound: there is none.
        :raises BuildUnderWay: it is not over.
        :raises ImageUnknown: it made no image.
        :raises StoreUnavailable: that cannot be kept now, and nothing has changed.
        """
        _check(viewer, "publish builds")
        build = await self._catalog.get(build_id)
        if build is None:
            raise BuildNotFound(_NONE)
        if published and not build.over:
            raise BuildUnderWay("This build is still under way; publish it when it is built.")
        if published and build.digest is None:
            raise ImageUnknown("This build made no image, so there is nothing to publish.")
        if build.published is published:
            return build
        if self._store is not None:
            await self._store.publish(build_id, published=published)
        if build.forgotten:
            raise BuildNotFound(_NONE)
        build.published = published
        verb = "published" if published else "withdrew"
        log.info("the admin %s %s build %s (%s)", viewer.name, verb, build.id, build.image)
        (self._changes.changed if published else self._changes.withdrawn)(build)
        return build

    async def overview(self, viewer: Owner) -> Overview:
        """Limits and their use, failures of the last week, images, and the disk.

        :raises AccessDenied: the viewer is no admin.
        :raises StoreUnavailable: it cannot be told now.
        """
        _check(viewer, "see what everybody does")
        since = self._clock.now() - _LOOK_BACK
        if self._store is not None:
            figures = await self._store.figures(since)
        else:
            figures = _counted(self._catalog.here(), since)
        return Overview(self._limits(viewer), figures, since)


def _check(viewer: Owner, what: str) -> None:
    if not viewer.admin:
        raise AccessDenied(f"Only an admin may {what}.")


def _counted(builds: list[Build], since: float) -> Figures:
    """The figures of what is in memory."""
    ends: dict[Reason, list[float]] = defaultdict(list)
    for build in builds:
        if build.phase is Phase.FAILED and build.reason and (build.finished or 0.0) >= since:
            ends[build.reason].append(build.finished or 0.0)
    failures = [Failures(reason, len(times), max(times)) for reason, times in ends.items()]
    failures.sort(key=lambda each: (-each.count, each.reason))
    images = {build.image: build.size or 0 for build in builds if build.digest}
    return Figures(tuple(failures), len(images), sum(images.values()))
