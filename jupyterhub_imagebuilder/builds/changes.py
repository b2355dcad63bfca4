"""What changes in the builds of this process, told to everyone who may see it, as it happens.

A viewer holds the builds that there is something new of, each once: one who reads slowly gets the
newest state of each, not all the states between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.ports import Clock

#: Seconds between two times that moves in the queue are told.
_PACE = 1.0
#: Builds that there may be something new of while a viewer reads nothing.  Above the length of any
#: queue: all that wait can move at once.
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Gone:
    """A build that the viewer may not see any more, or nobody."""

    id: str


Change = Build | Gone


class Viewer:
    """One who wants to know."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._new: dict[str, Change] = {}  # by build id
        self._news = asyncio.Event()
        self._closed = False

    async def changes(self) -> AsyncGenerator[Change, None]:
        """What has changed since the viewer is there, then live; a build stands for its state.

        Ends for who did not read for so long that too much has changed: the list says it all.
        """
        while True:
            while self._new:
                yield self._new.pop(next(iter(self._new)))
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()

    def take(self, build: Build) -> None:
        """There is something new of a build, which the viewer may not be meant to know."""
        if build.visible_to(self.owner):
            self._put(build.id, build)

    def lose(self, build_id: str) -> None:
        """There is no such build any more."""
        self._put(build_id, Gone(build_id))

    def close(self) -> None:
        """There will be nothing new."""
        self._closed = True
        self._news.set()

    def _put(self, build_id: str, change: Change) -> None:
        if self._closed:
            return
        self._new[build_id] = change
        self._news.set()
        if len(self._new) > _MOST:
            self._new.clear()
            self.close()


class Changes:
    """Implements :class:`jupyterhub_imagebuilder.builds.build.News` for any number of viewers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._viewers: set[Viewer] = set()
        self._moved: dict[str, Build] = {}  # by id; there is something new of them, not urgent
        self._telling: asyncio.Task[None] | None = None
        self._stopped = False

    @contextmanager
    def viewer(self, owner: Owner) -> Iterator[Viewer]:
        """A viewer, who is told from now on until the block ends."""
        viewer = Viewer(owner)
        self._viewers.add(viewer)
        if self._stopped:
            viewer.close()
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def changed(self, build: Build) -> None:
        """See :class:`News`."""
        self._moved.pop(build.id, None)
        for viewer in self._viewers:
            viewer.take(build)

    def moved(self, build: Build) -> None:
        """See :class:`News`.  One step of a long queue moves all that wait."""
        if not self._viewers or self._stopped:
            return
        self._moved[build.id] = build
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_moved(), name="moves in the queue")

    def gone(self, build: Build) -> None:
        """See :class:`News`."""
        self._moved.pop(build.id, None)
        for viewer in self._viewers:
            if build.visible_to(viewer.owner):
                viewer.lose(build.id)

    def withdrawn(self, build: Build) -> None:
        """Not everybody may see a build any more."""
        for viewer in self._viewers:
            if build.visible_to(viewer.owner):
                viewer.take(build)
            else:
                viewer.lose(build.id)

    async def stop(self) -> None:
        """End all viewers."""
        self._stopped = True
        for viewer in self._viewers:
            viewer.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait({self._telling})

    async def _tell_moved(self) -> None:
        while self._moved:
            await self._clock.sleep(_PACE)
            moved, self._moved = self._moved, {}
            for build in moved.values():
                if not build.forgotten:
                    self.changed(build)
                # a long queue and a thousand viewers must not hold up the logs
                await asyncio.sleep(0)
        self._telling = None
