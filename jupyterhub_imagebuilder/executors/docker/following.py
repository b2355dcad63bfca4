"""One build as its viewers see it: its launch, its log, its end, in one order.

The container decides when it is over; the log decides what was said.  The end of the log comes
before the verdict, always.  The end of the log's stream is the first sign of the container's own;
beside it, the container is looked at from time to time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Claim, Clock
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors.docker import container, verdict
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError, Json
from jupyterhub_imagebuilder.executors.docker.launching import Launch
from jupyterhub_imagebuilder.executors.following import BuildFollower
from jupyterhub_imagebuilder.executors.waiting import first

#: Seconds between two looks at a container whose log goes on, and at one whose log has ended.
_LOOK = 10.0
_SOON = 0.5
#: Seconds beyond its own time limit after which a container is given up.
_HANGS = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each kind of trouble may last, in seconds."""

    engine: float  #: without an answer
    deadline: float  #: of the build
    silence: float = 0.0  #: without a line of log; 0 is for ever


class Follower(BuildFollower):
    """Observes one build from its first line, or a mark, to its end.

    :param launch: of the container, where this process launches it.
    :param resume: launches a container that an earlier process made and never started.
    """

    def __init__(
        self,
        claim: Claim,
        mark: str | None,
        *,
        engine: Engine,
        clock: Clock,
        patience: Patience,
        launch: Launch | None,
        resume: Callable[[str], Launch],
    ) -> None:
        super().__init__(claim, mark, open_log=self._open_log, clock=clock)
        self._engine = engine
        self._patience = patience
        self._launch = launch
        self._resume = resume
        self._container = ""  # its id
        self._away_since: float | None = None
        self._engine_left = False
        self._began: float | None = None

    async def _observe(self) -> BuildFailed | None:
        found = await self._found()
        if found is None:
            return verdict.lost()
        self._container = str(found["Id"])
        async with self._reading() as log:
            last = await self._until_over()
            self._over.set()
            if last is not None:
                await self._drained(log)
        if last is None:
            return verdict.engine_went_away() if self._engine_left else verdict.lost()
        return verdict.ending(
            last,
            list(self._log.tail),
            pushing=self._log.pushing,
            engine_left=self._engine_left,
        )

    async def _found(self) -> Json | None:
        """The container, once it runs or ran; None where it is gone."""
        label = f"{container.UID}={self._claim.uid}"
        launch = self._launch
        while True:
            if launch is not None:
                await self._launched(launch)
                return await self._look(launch.container) if launch.container else None
            try:
                listed = list(filter(container.is_build, await self._engine.containers(label)))
            except EngineError:
                await self._wait_for_engine()
                continue
            self._away_since = None
            if not listed:
                return None
            if container.status(listed[0]) != "created":
                return listed[0]
            launch = self._resume(str(listed[0]["Id"]))

    async def _launched(self, launch: Launch) -> None:
        said = ""
        while not launch.done.is_set():
            launch.changed.clear()
            if launch.message != said:
                said = launch.message
                await self._queue.put(PhaseChanged(Phase.WAITING, said))
            if not launch.done.is_set():
                await launch.changed.wait()
        if launch.failure is not None:
            raise launch.failure

    async def _look(self, container_id: str) -> Json | None:
        """The container as it is; None where it is gone.  An engine that is away is waited for."""
        while True:
            try:
                found = await self._engine.inspect(container_id)
            except EngineError:
                await self._wait_for_engine()
                continue
            self._away_since = None
            return found

    async def _wait_for_engine(self) -> None:
        """Pause before the engine is asked again.

        :raises BuildFailed: it has been away for too long.
        """
        now = self._clock.now()
        if self._away_since is None:
            self._away_since = now
            self._engine_left = True
        if now - self._away_since >= self._patience.engine:
            raise verdict.engine_went_away()
        await self._clock.sleep(_SOON)

    async def _until_over(self) -> Json | None:
        """The container at its end; None where it went away before.

        :raises BuildFailed: it is given up.
        """
        while True:
            found = await self._look(self._container)
            if found is None or verdict.over(found):
                return found
            await self._check_limits()
            if self._log.stream_ended.is_set():
                self._log.stream_ended.clear()
                await self._clock.sleep(_SOON)
            else:
                await first(self._clock, _LOOK, self._log.stream_ended.wait())

    async def _check_limits(self) -> None:
        now = self._clock.now()
        self._began = now if self._began is None else self._began
        if now - self._began >= self._patience.deadline + _HANGS:
            raise BuildFailed("The build took longer than it may.", Reason.TIMEOUT)
        limit = self._patience.silence
        if limit and self._log.silence.seconds >= limit and await self._log.stands_still():
            raise BuildFailed(
                f"The build printed nothing for {limit / 60:.0f} minutes and was given up; the end"
                " of its log says where it stands still.",
                Reason.TIMEOUT,
            )

    def _open_log(self, follow: bool, tail: int | None) -> AsyncGenerator[bytes, None]:  # noqa: FBT001
        return self._engine.logs(self._container, follow=follow, tail=tail)
