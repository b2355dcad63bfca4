"""One build as its viewers see it: pod, events and log merged into one order.

The pod decides when it is over; the log decides what was said.  The end of the log comes before
the verdict, always.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Claim, Clock, Ended, Observation, Pushed
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors import diagnosis, repo2docker
from jupyterhub_imagebuilder.executors.kubernetes import logs, manifest, verdict
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi
from jupyterhub_imagebuilder.executors.kubernetes.waiting import wait_for
from jupyterhub_imagebuilder.executors.kubernetes.watch import PodWatch, Subscription

LOGGER = logging.getLogger(__name__)

#: A pod that starts sooner costs no request for its events; later ones are asked for this often.
_FIRST_LOOK = 3.0
_NEXT_LOOK = 5.0
#: How exactly a grace is kept; costs no request.
_TICK = 1.0
#: Seconds that the rest of the log may stand still once the container is over.
_DRAIN = 30.0
#: Seconds beyond the pod's own time after which its node is taken for dead.
_NODE_DEAD = 60.0
_BACKLOG = 1000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each kind of trouble may last, in seconds."""

    pull: float
    mount: float
    node: float
    deadline: float

    def of(self, reason: Reason) -> float:
        """Grace of a kind of trouble."""
        return {Reason.IMAGE_PULL: self.pull, Reason.MOUNT_FAILED: self.mount}.get(
            reason, self.node
        )


class Follower:
    """Observes one build from its first line to its end."""

    def __init__(
        self, claim: Claim, *, api: PodApi, watch: PodWatch, clock: Clock, patience: Patience
    ) -> None:
        self._claim = claim
        self._api = api
        self._watch = watch
        self._clock = clock
        self._patience = patience
        self._queue: asyncio.Queue[Observation] = asyncio.Queue(_BACKLOG)
        self._over = asyncio.Event()
        self._tail: collections.deque[str] = collections.deque(maxlen=diagnosis.TAIL)
        self._index = 0
        self._pushing = False
        self._push_end = repo2docker.PushEnd()
        self._unreadable = False
        self._said = ""
        self._since: dict[str, float] = {}
        self._events: list[Json] = []

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

    async def _run(self) -> None:
        try:
            error = await self._observe()
        except Exception:
            LOGGER.exception("Following build %s failed", self._claim.request.name)
            error = BuildFailed("The image builder lost sight of this build.", Reason.INTERNAL)
        await self._queue.put(Ended(error))

    async def _observe(self) -> BuildFailed | None:
        with self._watch.subscribe(self._claim.uid) as pod:
            await self._look_up(pod)
            failure = await self._until_started(pod)
            if failure:
                return failure
            if pod.pod is not None and not verdict.started(pod.pod):
                return verdict.ending(pod.pod, (), pushing=False)
            log = asyncio.create_task(self._read_log())
            try:
                failure = await self._until_over(pod)
                await self._drained(log)
            finally:
                log.cancel()
                await asyncio.gather(log, return_exceptions=True)
            if failure:
                return failure
            return await self._verdict(pod)

    async def _look_up(self, subscription: Subscription) -> None:
        """Ask for a pod that the watch has not told of yet; an answer may take its time."""
        while subscription.pod is None and not subscription.gone:
            subscription.changed.clear()
            try:
                found = await self._api.get_pod(self._claim.request.name)
            except ApiError as error:
                if self._lasted("unseen") >= self._patience.deadline:
                    return
                LOGGER.info("Build %s cannot be seen: %s", self._claim.request.name, error)
                await wait_for(subscription.changed, _NEXT_LOOK, self._clock)
                continue
            if found is None or found["metadata"]["uid"] != self._claim.uid:
                return
            self._watch.learn(found)
            if subscription.pod is None:
                return

    async def _until_started(self, subscription: Subscription) -> BuildFailed | None:
        """Wait for the container; tells what it waits for, and gives up on what lasts."""
        look = self._clock.now() + _FIRST_LOOK
        while True:
            subscription.changed.clear()
            pod = subscription.pod
            if pod is None or subscription.gone:
                return verdict.lost()
            if verdict.started(pod) or verdict.finished(pod):
                return None
            if self._clock.now() >= look:
                await self._ask_for_events()
                look = self._clock.now() + _NEXT_LOOK
            failure = self._lasting_trouble(pod) or self._stuck(pod)
            if failure:
                return failure
            await self._say(verdict.waits_for(pod, self._events))
            await wait_for(subscription.changed, _TICK, self._clock)

    async def _until_over(self, subscription: Subscription) -> BuildFailed | None:
        while True:
            subscription.changed.clear()
            pod = subscription.pod
            if pod is None or subscription.gone or verdict.over(pod):
                self._over.set()
            if pod is None or subscription.gone or verdict.finished(pod):
                return None
            dead = self._node_dead(pod)
            if dead:
                self._over.set()
                return dead
            await wait_for(subscription.changed, _NODE_DEAD, self._clock)

    async def _verdict(self, subscription: Subscription) -> BuildFailed | None:
        pod = subscription.pod
        if pod is None or not verdict.finished(pod):
            return verdict.lost()
        if self._unreadable and not self._index:
            for text in verdict.last_words(pod):
                await self._line(text)
        return verdict.ending(pod, list(self._tail), pushing=self._pushing)

    async def _drained(self, log: asyncio.Task[None]) -> None:
        done = asyncio.Event()
        log.add_done_callback(lambda _: done.set())
        while True:
            before = self._index
            if await wait_for(done, _DRAIN, self._clock):
                return
            if self._index == before:
                await self._queue.put(Gap(logs.UNREADABLE))
                return

    async def _read_log(self) -> None:
        name = self._claim.request.name

        def open_log(follow: bool, tail: int | None) -> AsyncGenerator[bytes, None]:  # noqa: FBT001
            return self._api.pod_log(name, manifest.CONTAINER, follow=follow, tail=tail)

        reader = logs.LogReader(open_log, self._over, self._clock)
        try:
            async with contextlib.aclosing(reader.records()) as records:
                async for record in records:
                    if isinstance(record, Gap):
                        await self._queue.put(record)
                    else:
                        await self._line(record.text)
        except ApiError as error:
            self._unreadable = True
            LOGGER.warning("The log of %s cannot be read: %s", name, error)
            if error.code == HTTPStatus.FORBIDDEN:
                await self._queue.put(
                    PhaseChanged(
                        Phase.BUILDING,
                        "The build runs. Its log cannot be shown here: the image builder may not"
                        " read the logs of pods.",
                    )
                )

    async def _line(self, raw: str) -> None:
        text, phase = repo2docker.read_line(raw)
        self._pushing = self._pushing or phase is Phase.PUSHING
        # a progress bar draws itself anew behind a carriage return
        for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            self._tail.append(line)
            await self._queue.put(LogLine(self._claim.uid, self._index, line, phase))
            self._index += 1
            if self._push_end.seen_in(line):
                await self._queue.put(Pushed())

    async def _say(self, message: str) -> None:
        if message != self._said:
            self._said = message
            await self._queue.put(PhaseChanged(Phase.WAITING, message))

    async def _ask_for_events(self) -> None:
        try:
            self._events = await self._api.pod_events(self._claim.uid)
        except ApiError as error:
            LOGGER.debug("Events of %s cannot be read: %s", self._claim.request.name, error)

    def _lasting_trouble(self, pod: Json) -> BuildFailed | None:
        trouble = verdict.trouble(pod, self._events)
        if trouble is None:
            return None
        lasted = self._lasted(trouble.reason.value)
        if lasted < self._patience.of(trouble.reason):
            return None
        return BuildFailed(trouble.message, trouble.reason)

    def _stuck(self, pod: Json) -> BuildFailed | None:
        """A pod that has a node and never starts, for no reason that Kubernetes would tell."""
        key = "starting" if pod["spec"].get("nodeName") else "node"
        if self._lasted(key) < self._patience.node:
            return None
        said = verdict.waits_for(pod, self._events)
        if key == "node":
            return BuildFailed(said, Reason.UNSCHEDULABLE)
        return BuildFailed(f"The build did not start: {said}", Reason.EXECUTOR_LOST)

    def _node_dead(self, pod: Json) -> BuildFailed | None:
        """A node that went away reports nothing any more: our own time limits are the end."""
        if pod["metadata"].get("deletionTimestamp") and self._lasted("deleted") >= _NODE_DEAD:
            return verdict.lost()
        if self._lasted("running") >= self._patience.deadline + _NODE_DEAD:
            return BuildFailed("The build took longer than it may.", Reason.TIMEOUT)
        return None

    def _lasted(self, what: str) -> float:
        """Seconds since this was asked for the first time: our own clock alone, no node's."""
        return self._clock.now() - self._since.setdefault(what, self._clock.now())
