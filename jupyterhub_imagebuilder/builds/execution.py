"""One build under way, from its turn in the queue to the moment at which there is an image."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.builds import readback
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Gap, PhaseChanged
from jupyterhub_imagebuilder.builds.ids import is_rebuild
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import (
    BuildObserver,
    Checkpoint,
    Claim,
    ClaimState,
    Clock,
    Ended,
    Executor,
    Pushed,
    Registry,
)
from jupyterhub_imagebuilder.builds.queue import BuildQueue
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ImageBuilderError,
    Reason,
)

log = logging.getLogger(__name__)

#: How often the name of a build that is over may be met before its build is given up.
_CLAIM_ATTEMPTS = 5
#: A registry's "not there" that is older than this, in seconds, is asked again before a build.
_ANSWER_AGE = 30.0
#: Seconds in which what an earlier build left has to be gone.
_REMOVAL = 120.0
_LOST = "Lines of the log may be missing here: the build's pod is gone."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an execution waits, in seconds."""

    confirm: float = 30.0  #: until a pushed image can be read back
    queue: float = 3600.0  #: for its turn


class Execution:
    """Sees one build through.

    :param claim: what the executor has of it already; None where it has yet to begin.
    :param linger: seconds for which the pod of what was built stays.
    :param after: removes what an earlier build of that name left; it is waited for.
    :param settled: whether a pod, by its UID, was seen through here.
    """

    def __init__(
        self,
        build: Build,
        claim: Claim | None = None,
        *,
        executor: Executor,
        registry: Registry,
        queue: BuildQueue,
        patience: Patience,
        clock: Clock,
        observer: BuildObserver,
        linger: float,
        after: asyncio.Task[None] | None = None,
        settled: Callable[[str], bool],
    ) -> None:
        self.build = build
        self.claim = claim  #: what has to be removed when it is over
        self.ended = asyncio.Event()  #: nothing of it is under way any more, set by its owner
        self._executor = executor
        self._registry = registry
        self._queue = queue
        self._patience = patience
        self._clock = clock
        self._observer = observer
        self._after = after
        self._settled = settled
        # what another process has built can be met as a pod or, later, in the registry
        self._answer_age = min(_ANSWER_AGE, linger / 2)
        # the push said that it is done, or may have said so while nobody looked
        self._pushed = claim is not None
        self._stop = asyncio.Event()
        self._stopped_by = ""
        # when the registry was last asked: a request is made right before its look-up
        self._asked = build.request.created
        if claim is None:
            self._place = queue.enter(build.request, self._say, build.stand)
        else:
            self._place = queue.occupy(build.request)
            self._hold(claim)

    @property
    def waits(self) -> bool:
        """Whether it is not its turn yet."""
        return not self._place.turn.is_set()

    @property
    def rebuilds(self) -> bool:
        """Whether the registry may have the image from before, so that only the end counts."""
        claim = self.claim
        return is_rebuild(self.build.id) or (claim is not None and is_rebuild(claim.request.id))

    @property
    def stopping(self) -> bool:
        """Whether somebody wants it to end: nobody joins it any more."""
        return self._stop.is_set()

    def stop(self, by: str) -> None:
        """Wish that it ends; the first one who does is named."""
        self._stopped_by = self._stopped_by or by
        self._stop.set()

    def leave_queue(self) -> None:
        """Give the place back, to the next one."""
        self._queue.leave(self._place)

    async def attempt(self) -> ImageBuilderError | None:
        """Try to get the image; what is returned is why there is none."""
        name = self.build.request.name
        try:
            if self.claim is None:
                await self._unless_stopped(self._wait())
                if not self.build.over:
                    await self._claim()
            if self.claim is not None and not self.build.over:
                await self._unless_stopped(self._see_through(self.claim))
        except ImageBuilderError as error:
            log.info("%s: %s: %s", name, error.reason, error.message)
            return error
        except Exception:
            log.exception("%s: a fault of the image builder", name)
            return BuildFailed(
                "The image builder made a mistake; its log says more. Please try again.",
                Reason.INTERNAL,
            )
        return None

    def _say(self, sentence: str) -> None:
        self.build.observe(PhaseChanged(Phase.WAITING, sentence), self._clock.now())

    def _hold(self, claim: Claim) -> None:
        if claim.there:
            self.build.hold(claim.uid)
        self._observer.claimed(self.build.request, claim.state)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, up to the moment at which somebody wants the build to end.

        Waiting and watching are cut short like this.  A claim under way is not: it has to say
        which pod it made.
        """
        stopping = asyncio.create_task(self._stop.wait())
        working = asyncio.create_task(work)
        if self._stop.is_set():
            working.cancel()
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        if working.cancelled() and not self.build.over:
            work.close()  # where it had not begun
            raise BuildFailed(f"{self._stopped_by} stopped this build.", Reason.CANCELLED)
        if not working.cancelled():
            working.result()

    async def _wait(self) -> None:
        """Wait until the build may begin; it may have ended elsewhere by then."""
        if not self._place.turn.is_set():
            await self._wait_for_turn()
            # a process that is about to end queues what its successor may have seen the end of
            await self.build.look_up(self._clock.now())
        await self._wait_for_removal()

    async def _wait_for_turn(self) -> None:
        """Wait in the queue."""
        turn = asyncio.create_task(self._place.turn.wait())
        patience = asyncio.create_task(self._clock.sleep(self._patience.queue))
        try:
            await asyncio.wait((turn, patience), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (turn, patience):
                task.cancel()
            await asyncio.gather(turn, patience, return_exceptions=True)
        if not self._place.turn.is_set():
            raise BuildFailed(
                "Other builds took so long that this one never had its turn; please try again.",
                Reason.QUEUE_TIMEOUT,
            )
        self._say("Waiting for the build to start")

    async def _wait_for_removal(self) -> None:
        """Wait until what an earlier build left under this name is gone: it must not be met."""
        if self._after is not None and not self._after.done():
            self._say("Waiting until the earlier build of this is removed.")
            await asyncio.wait({self._after}, timeout=_REMOVAL)
            if not self._after.done():
                raise BuildFailed(
                    "An earlier build of this cannot be removed now; please try again later.",
                    Reason.EXECUTOR_LOST,
                )

    async def _claim(self) -> None:
        """Start the build, or adopt the one that runs, or share the result of one that is over."""
        for _ in range(_CLAIM_ATTEMPTS):
            if await self._found_meanwhile():
                return
            await self._registry.prepare(self.build.request.image)
            self.claim = await self._executor.claim(self.build.request)
            if self.claim.state is ClaimState.GONE:
                self.claim = None
                # who else follows it may have told its end by now
                await self.build.look_up(self._clock.now())
                if self.build.over:
                    return
                continue
            if not self._is_left_over(self.claim):
                self._hold(self.claim)
                return
            digest = None if is_rebuild(self.build.id) else await self._result_of(self.claim)
            if digest is not None:
                self.build.complete(digest, self._clock.now(), cached=True)
                return
            await self._executor.remove(self.claim)
            self.claim = None
        raise BuildFailed(
            "Another build of this repository keeps getting in the way; please try again.",
            Reason.EXECUTOR_LOST,
        )

    def _is_left_over(self, claim: Claim) -> bool:
        """Whether a pod that was met is that of an earlier build, which has nothing more to say."""
        if not is_rebuild(self.build.id):
            return claim.state is ClaimState.FINISHED
        # an image does not tell whether it is from before: the end of its own pod does
        own = claim.request.id == self.build.id
        # a pod goes on for a moment behind its push, with which its build has ended
        return not own and (claim.state is ClaimState.FINISHED or self._settled(claim.uid))

    async def _found_meanwhile(self) -> bool:
        """Whether the image appeared while this one waited; ends the build where it did."""
        if is_rebuild(self.build.id) or self._clock.now() - self._asked < self._answer_age:
            return False
        self._asked = self._clock.now()
        digest = await self._registry.digest(self.build.request.image, fresh=True)
        if digest is None:
            return False
        if self.build.resumed:
            # its own pod may have made it, in a moment that nobody saw
            self.build.observe(Gap(_LOST), self._clock.now())
        self.build.complete(digest, self._clock.now(), cached=True)
        return True

    async def _result_of(self, claim: Claim) -> str | None:
        """The digest of what a build that is over made; None where it has to be done again.

        One that succeeded may have an image that the registry does not show yet; one that was
        seen through here has none because somebody removed it since.
        """
        image = self.build.request.image
        digest = await self._registry.digest(image, fresh=True)
        if digest is not None or self._settled(claim.uid) or not await self._succeeded(claim):
            return digest
        try:
            return await readback.confirmed(
                self._registry, image, self._clock, self._patience.confirm
            )
        except BuildFailed:
            return None

    async def _succeeded(self, claim: Claim) -> bool:
        async with aclosing(self._executor.follow(claim)) as observations:
            async for observation in observations:
                if isinstance(observation, Ended):
                    return observation.error is None
        return False

    async def _see_through(self, claim: Claim) -> None:
        """Follow the build to its end, or to the moment from which the registry has its image."""
        async with aclosing(self._executor.follow(claim, self.build.mark)) as observations:
            async for observation in observations:
                match observation:
                    case Checkpoint():
                        self.build.hold(claim.uid)
                        self.build.checkpoint(observation.mark)
                        continue
                    case Pushed():
                        self._pushed = True
                        digest = await self._read_back()
                    case Ended():
                        digest = await self._outcome(observation)
                    case _:
                        self.build.observe(observation, self._clock.now())
                        continue
                if digest is not None:
                    self.build.complete(digest, self._clock.now())
                    return
        raise BuildFailed("The build ended without a word.", Reason.EXECUTOR_LOST)

    async def _read_back(self) -> str | None:
        """The digest of what was pushed, before the build has ended."""
        if self.rebuilds:
            return None  # it could be the old one
        return await readback.pushed(self._registry, self.build.request.image)

    async def _outcome(self, end: Ended) -> str:
        """The digest of what a build made that has ended.

        :raises ImageBuilderError: it made nothing.
        """
        image, limit = self.build.request.image, self._patience.confirm
        if end.error is None:
            return await readback.confirmed(self._registry, image, self._clock, limit)
        if end.error.reason is not Reason.EXECUTOR_LOST or self.rebuilds:
            raise end.error
        # nobody saw its end: whoever removed it may have done so because it was built
        self.build.observe(Gap(_LOST), self._clock.now())
        try:
            return await readback.confirmed(
                self._registry, image, self._clock, limit if self._pushed else 0.0
            )
        except ImageBuilderError as error:
            raise end.error from error
