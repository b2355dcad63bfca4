"""The builds under way in this process: begun, joined, seen through, and their pods removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.catalog import Catalog
from jupyterhub_imagebuilder.builds.execution import Execution, Patience
from jupyterhub_imagebuilder.builds.ports import BuildObserver, Claim, Clock, Executor, Registry
from jupyterhub_imagebuilder.builds.queue import BuildQueue
from jupyterhub_imagebuilder.builds.weighing import Scales
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable

log = logging.getLogger(__name__)

#: Longest time between attempts to remove what a finished build left, in seconds.
_REMOVE_DELAY = 60.0
#: Seconds for which the end of a failed build waits until its remains are removed.
_REMOVE_PATIENCE = 5.0
#: UIDs that are remembered: an old list of pods may name one that is gone.
_SETTLED = 10_000


class Executions:
    """Owns every task that sees a build through, or clears up behind one.

    :param catalog: knows every build that is begun here.
    :param linger: seconds for which the pod of what was built stays, for others to see.
    :param scales: tells how large what was built is.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        registry: Registry,
        queue: BuildQueue,
        catalog: Catalog,
        clock: Clock,
        observer: BuildObserver,
        patience: Patience,
        linger: float,
        scales: Scales,
    ) -> None:
        self._executor = executor
        self._registry = registry
        self._queue = queue
        self._catalog = catalog
        self._clock = clock
        self._observer = observer
        self._patience = patience
        self._linger = linger
        self._scales = scales
        self._stopping = False
        self._running: dict[str, Execution] = {}  # by key: the build that requests join
        self._removals: dict[str, asyncio.Task[None]] = {}  # by build name
        self._settled: dict[str, None] = {}  # UIDs of pods that were seen through, oldest first
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, key: str) -> Execution | None:
        """The build under way for a key."""
        return self._running.get(key)

    def begin(self, build: Build, claim: Claim | None = None) -> Execution:
        """See a build through, from now on; nothing of its key is under way.

        :param claim: what the executor has of it already.
        """
        self._catalog.add(build)
        execution = Execution(
            build,
            claim,
            executor=self._executor,
            registry=self._registry,
            queue=self._queue,
            patience=self._patience,
            clock=self._clock,
            observer=self._observer,
            linger=self._linger,
            after=self._removals.get(build.request.name),
            settled=self.is_settled,
        )
        self._running[build.request.key] = execution
        self._spawn(self._carry_out(execution), build.request.name)
        return execution

    def share(self, build: Build, other: Execution) -> None:
        """End a build as another one of its key does."""
        self._catalog.add(build)
        self._spawn(self._share(build, other), f"share {build.request.name}")

    def weigh(self, build: Build) -> None:
        """Find out how large the image of a build is that is over, while others go on."""
        if build.digest is not None and not self._stopping:
            self._spawn(self._scales.weigh(build), f"weigh {build.request.name}")

    def is_settled(self, uid: str) -> bool:
        """Whether a pod was seen through."""
        return uid in self._settled

    def settle(self, claim: Claim, *, built: bool) -> asyncio.Task[None]:
        """Have done with a pod: it is removed, and not taken up again.

        :param built: it may stay for a while; what failed goes at once, because a pod that cannot
            start is still there, and the next try would meet it.
        """
        self._settled[claim.uid] = None
        if len(self._settled) > _SETTLED:
            del self._settled[next(iter(self._settled))]
        name = claim.request.name
        removal = self._spawn(self._remove(claim, self._linger if built else 0.0), f"remove {name}")
        if not built:
            self._removals[name] = removal
            removal.add_done_callback(lambda _: self._removals.pop(name, None))
        return removal

    async def stop(self) -> None:
        """End all tasks; builds go on in the executor."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, execution: Execution) -> None:
        """See one build through to its terminal event."""
        build = execution.build
        try:
            error = await execution.attempt()
            if execution.claim is not None:
                removal = self.settle(execution.claim, built=error is None)
                if error is not None:
                    # before anyone hears of it: who tries again then must not meet it
                    await asyncio.wait({removal}, timeout=_REMOVE_PATIENCE)
            if error is not None:
                build.fail(error, self._clock.now())
        finally:
            execution.leave_queue()
            # only now: a request that comes later must not join a build that is over
            del self._running[build.request.key]
            if build.over:
                self._ended(build)
            execution.ended.set()

    async def _share(self, build: Build, other: Execution) -> None:
        await other.ended.wait()
        end = other.build
        if end.digest is not None:
            build.complete(end.digest, self._clock.now(), cached=True)
        elif not end.over:
            return  # this process stops
        elif build.uid is not None and build.uid == end.uid:
            build.fail(BuildFailed(end.message, end.reason), self._clock.now())
        elif (another := self._running.get(build.request.key)) is not None:
            await self._share(build, another)
            return
        else:
            # that was another pod, which it only waited for
            self.begin(build)
            return
        self._ended(build)

    def _ended(self, build: Build) -> None:
        self._catalog.ended(build)
        self.weigh(build)

    async def _remove(self, claim: Claim, linger: float) -> None:
        """Remove what a build left, in ``linger`` seconds, and try until it is done."""
        await self._clock.sleep(linger)
        delay = 1.0
        while True:
            try:
                await self._executor.remove(claim)
            except ExecutorUnavailable as error:
                log.warning("cannot remove %s yet: %s", claim.request.name, error.message)
            except Exception:
                log.exception("cannot remove %s yet", claim.request.name)
            else:
                return
            await self._clock.sleep(delay)
            delay = min(delay * 2, _REMOVE_DELAY)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
