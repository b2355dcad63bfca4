"""One build as its viewers see it: pod, events and log merged into one order.

The pod decides when it is over; the log decides what was said.  The end of the log comes before
the verdict, always.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Claim, Clock
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors.following import BuildFollower
from jupyterhub_imagebuilder.executors.kubernetes import manifest, verdict
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi
from jupyterhub_imagebuilder.executors.kubernetes.sight import Sight
from jupyterhub_imagebuilder.executors.kubernetes.starting import Patience, Start
from jupyterhub_imagebuilder.executors.kubernetes.watch import PodWatch
from jupyterhub_imagebuilder.executors.waiting import first, wait_for

#: How exactly a limit is kept; costs no request.
_TICK = 1.0
#: Seconds beyond the pod's own time after which its node is taken for dead.
_NODE_DEAD = 60.0
#: Seconds by which the watch may be later than the log with the container's end.
_LATE = 5.0
#: Seconds until a silent log is looked at again that could not be read, or was not silent.
_LOOK_AGAIN = 60.0
#: Seconds until a log that may not be read is spoken of: a server that has just begun to listen
#: refuses everything for about one.
_SPOKEN_OF = 3.0


class Follower(BuildFollower):
    """Observes one build from its first line, or a mark, to its end."""

    def __init__(
        self,
        claim: Claim,
        mark: str | None = None,
        *,
        api: PodApi,
        watch: PodWatch,
        clock: Clock,
        patience: Patience,
    ) -> None:
        super().__init__(claim, mark, open_log=self._open_log, clock=clock)
        self._api = api
        self._watch = watch
        self._patience = patience
        self._unreadable = False
        self._refused: float | None = None  # since when the log may not be read
        self._said_refused = False
        self._next_look = float("-inf")  # at a log that is silent for too long

    async def _observe(self) -> BuildFailed | None:
        with self._watch.subscribe(self._claim.uid) as subscription:
            sight = Sight(
                self._claim, subscription, api=self._api, watch=self._watch, clock=self._clock
            )
            await sight.look_up(self._patience.deadline)
            start = Start(
                sight, api=self._api, clock=self._clock, patience=self._patience, say=self._say
            )
            failure = await start.wait()
            if failure:
                return failure
            if sight.pod is not None and not verdict.started(sight.pod):
                return verdict.ending(sight.pod, (), pushing=False)
            return await self._until_its_end(sight)

    async def _until_its_end(self, sight: Sight) -> BuildFailed | None:
        """Read the log while the container runs, and to its end; how the build ended."""
        async with self._reading() as log:
            failure = await self._until_over(sight)
            if self._over.is_set():
                await self._drained(log)
        return failure or await self._verdict(sight)

    async def _until_over(self, sight: Sight) -> BuildFailed | None:
        while True:
            sight.changed.clear()
            pod = sight.pod
            if pod is None or verdict.over(pod):
                self._over.set()
            if pod is None or verdict.finished(pod):
                return None
            dead = self._node_dead(pod, sight)
            if dead and await sight.still_so() is not False:
                self._over.set()
                return dead
            if await self._silent_too_long():
                return _silent(self._patience.silence)
            if self._log.stream_ended.is_set() and not self._over.is_set():
                await self._confirm(sight)
            else:
                await self._wait_for_news(sight)

    async def _wait_for_news(self, sight: Sight) -> None:
        seconds = _NODE_DEAD
        if self._patience.silence:
            left = self._patience.silence - self._log.silence.seconds
            look = self._next_look - self._clock.now()
            seconds = min(seconds, max(_TICK, left, look))
        others = [sight.changed.wait()]
        if not self._over.is_set():
            others.append(self._log.stream_ended.wait())
        await first(self._clock, seconds, *others)

    async def _confirm(self, sight: Sight) -> None:
        """Ask for the pod: the log has ended, and the watch does not tell of the pod's end."""
        if await wait_for(sight.changed, _LATE, self._clock):
            return
        if await sight.ask():
            self._log.stream_ended.clear()

    async def _silent_too_long(self) -> bool:
        """Whether the log could be read all the time, and still can, and nothing came."""
        limit, now = self._patience.silence, self._clock.now()
        if not limit or self._log.silence.seconds < limit or now < self._next_look:
            return False
        self._next_look = now + _LOOK_AGAIN
        return await self._log.stands_still()

    async def _verdict(self, sight: Sight) -> BuildFailed | None:
        pod, log = sight.last, self._log
        if pod is None or not verdict.finished(pod):
            return verdict.lost()
        if self._unreadable and not log.index:
            for text in verdict.last_words(pod):
                for observation in log.lines(text):
                    await self._queue.put(observation)
        lines = list(log.tail)
        if len(lines) < (log.tail.maxlen or 0):
            # what an earlier reader saw of the end, or nobody could, is in the pod's last words
            lines = max(lines, verdict.last_words(pod), key=len)
        return verdict.ending(pod, lines, pushing=log.pushing)

    async def _say_unreadable(self, error: ApiError | None) -> None:
        self._unreadable = True
        if error is not None and error.code == HTTPStatus.FORBIDDEN:
            await self._say_refused()
        else:
            await super()._say_unreadable(error)

    async def _open_log(self, follow: bool, tail: int | None) -> AsyncGenerator[bytes, None]:  # noqa: FBT001
        name = self._claim.request.name
        chunks = self._api.pod_log(name, manifest.CONTAINER, follow=follow, tail=tail)
        try:
            async with contextlib.aclosing(chunks):
                async for chunk in chunks:
                    self._refused = None
                    yield chunk
        except ApiError as error:
            if error.code == HTTPStatus.FORBIDDEN and not self._log.resumed:
                await self._say_refused_if_it_lasts()
            raise

    async def _say_refused_if_it_lasts(self) -> None:
        if self._refused is None:
            self._refused = self._clock.now()
        if self._clock.now() - self._refused >= _SPOKEN_OF and not self._log.index:
            await self._say_refused()

    async def _say_refused(self) -> None:
        if not self._said_refused:
            self._said_refused = True
            message = (
                "The build runs. Its log cannot be shown here: the image builder may not read the"
                " logs of pods."
            )
            await self._queue.put(PhaseChanged(Phase.BUILDING, message))

    async def _say(self, message: str) -> None:
        await self._queue.put(PhaseChanged(Phase.WAITING, message))

    def _node_dead(self, pod: Json, sight: Sight) -> BuildFailed | None:
        """A node that went away reports nothing any more: our own time limits are the end."""
        if pod["metadata"].get("deletionTimestamp") and sight.lasted("deleted") >= _NODE_DEAD:
            return verdict.lost()
        if sight.lasted("running") >= self._patience.deadline + _NODE_DEAD:
            return BuildFailed("The build took longer than it may.", Reason.TIMEOUT)
        return None


def _silent(seconds: float) -> BuildFailed:
    lasted = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"  # noqa: PLR2004
    return BuildFailed(
        f"The build printed nothing for {lasted} and was given up; the end of its log says where"
        " it stands still.",
        Reason.TIMEOUT,
    )
