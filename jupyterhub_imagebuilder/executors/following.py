"""What all who follow a build do: log and news become one order, and the end comes last."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.builds.ports import Claim, Clock, Ended, Observation
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors import logs
from jupyterhub_imagebuilder.executors.apierror import ApiError
from jupyterhub_imagebuilder.executors.buildlog import BuildLog
from jupyterhub_imagebuilder.executors.waiting import wait_for

LOGGER = logging.getLogger(__name__)

#: Seconds that the rest of the log may stand still once the container is over.
_DRAIN = 30.0
_BACKLOG = 1000


class BuildFollower(abc.ABC):
    """Observes one build from its first line, or a mark, to its end.

    :param open_log: opens the container's log, see :data:`logs.OpenLog`.
    """

    def __init__(
        self, claim: Claim, mark: str | None, *, open_log: logs.OpenLog, clock: Clock
    ) -> None:
        self._claim = claim
        self._clock = clock
        self._queue: asyncio.Queue[Observation] = asyncio.Queue(_BACKLOG)
        self._over = asyncio.Event()  # the container has ended, or is gone
        self._log = BuildLog(claim, mark, open_log=open_log, over=self._over, clock=clock)

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """Everything that happens; the last one is :class:`Ended`."""
        work = asyncio.create_task(self._run(), name=f"follow {self._claim.request.name}")
        try:
            while True:
                observation = await self._queue.get()
                yield observation
                if isinstance(observation, Ended):
                    return
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    @abc.abstractmethod
    async def _observe(self) -> BuildFailed | None:
        """See the build through; why there is no image, returned or raised."""

    async def _run(self) -> None:
        try:
            error = await self._observe()
        except BuildFailed as failure:
            error = failure
        except Exception:
            LOGGER.exception("Following build %s failed", self._claim.request.name)
            error = BuildFailed("The image builder lost sight of this build.", Reason.INTERNAL)
        await self._queue.put(Ended(error))

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[asyncio.Task[None]]:
        """Tell the log meanwhile; the task ends behind its last line."""
        task = asyncio.create_task(self._read_log(), name=f"log of {self._claim.request.name}")
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read_log(self) -> None:
        name = self._claim.request.name
        try:
            async with contextlib.aclosing(self._log.observations()) as observations:
                async for observation in observations:
                    await self._queue.put(observation)
        except ApiError as error:
            LOGGER.warning("The log of %s cannot be read: %s", name, error)
            await self._say_unreadable(error)
        except Exception:
            LOGGER.exception("Reading the log of %s failed", name)
            await self._say_unreadable(None)

    async def _say_unreadable(self, error: ApiError | None) -> None:  # noqa: ARG002
        """Say that the log ends here, and why if that is known."""
        await self._queue.put(Gap(logs.UNREADABLE))

    async def _drained(self, reading: asyncio.Task[None]) -> None:
        """Wait for the rest of the log: the end of the log comes before the verdict."""
        done = asyncio.Event()
        reading.add_done_callback(lambda _: done.set())
        while True:
            before = self._log.index
            if await wait_for(done, _DRAIN, self._clock):
                return
            if self._log.index == before:
                await self._queue.put(Gap(logs.UNREADABLE))
                return
