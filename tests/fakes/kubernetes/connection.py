"""One client's way to the cluster, on which anything can happen."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from typing import Any

from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json

from .cluster import Cluster
from .faults import AnswerLost, Cut, Dead, Fault, NotHeard, Refused, Slow, Stale, Twice
from .history import Change, Fate, matches

#: Seconds of silence after which the client gives a log's stream up.
SILENCE = 300.0
#: Seconds between two bookmarks of a watch.
BOOKMARKS = 60.0
#: Seconds beyond its time after which the client gives a silent watch up.
PATIENCE = 15.0


class Stream:
    """A watch or a log that is open."""

    def __init__(self) -> None:
        self.silent = False  #: half open: nothing comes any more
        self.end: ApiError | None = None  #: breaks it
        self.ended = False  #: ends it in order
        self.news = asyncio.Event()  #: of these

    def stop(self, error: ApiError | None = None) -> None:
        """End it, with an error or without."""
        self.end, self.ended = error, error is None
        self.news.set()


class Connection:
    """Implements ``api.PodApi``.

    :param weather: a fault for a call, by its verb; None: none.
    """

    def __init__(
        self, cluster: Cluster, weather: Callable[[str], Fault | None] = lambda _: None
    ) -> None:
        self.cluster = cluster
        self.weather = weather
        self.faults: dict[str, list[Fault]] = {}  #: of the next calls of a verb
        self.latency = 0.002  #: seconds, each way
        self.largest = 65536  #: bytes of a log that come at once
        self.dead = False  #: the client is no more: nothing of it arrives
        self.closed = False
        self.watches: dict[Stream, None] = {}  #: in the order in which they were opened
        self.followers: dict[Stream, None] = {}

    def next(self, verb: str, *faults: Fault) -> None:
        """What happens to the next calls of a verb."""
        self.faults.setdefault(verb, []).extend(faults)

    async def list_pods(
        self, selector: str, *, namespace: str = "", limit: int | None = None, **_: Any
    ) -> Json:
        def answer(fault: Fault | None) -> Json:
            behind = fault.changes if isinstance(fault, Stale) else 0
            version, pods = self.cluster.history.at(behind)
            found = [pod for pod in pods if matches(pod, selector)]
            return {"metadata": {"resourceVersion": str(version)}, "items": found[:limit]}

        return await self._call("list_pods", answer)

    async def get_pod(self, name: str) -> Json | None:
        return await self._call("get_pod", lambda _: self.cluster.history.pods.get(name))

    async def create_pod(self, manifest: Json) -> Json:
        return await self._call("create_pod", lambda _: self.cluster.create(manifest))

    async def delete_pod(self, name: str, uid: str, grace: int) -> None:
        await self._call("delete_pod", lambda _: self.cluster.delete(name, uid, grace))

    async def pod_events(self, uid: str) -> list[Json]:
        return await self._call("pod_events", lambda _: self.cluster.events.get(uid, []))

    async def read_secret(self, name: str, key: str) -> bytes | None:
        return await self._call("read_secret", lambda _: self.cluster.secrets.get((name, key)))

    async def close(self) -> None:
        self.closed = True

    async def watch_pods(
        self, selector: str, version: str, seconds: int
    ) -> AsyncGenerator[Json, None]:
        await self._call("watch_pods", lambda _: None)
        loop = asyncio.get_running_loop()
        stream, seen, late = Stream(), int(version), []
        deadline = loop.time() + seconds
        self.watches[stream] = None
        try:
            while not stream.ended and loop.time() < deadline:
                if stream.end is not None:
                    raise stream.end
                if seen < self.cluster.history.compacted:
                    words = "too old resource version"
                    yield {"type": "ERROR", "object": {"code": 410, "message": words}}
                    return
                if stream.silent:
                    await self._silence(stream, deadline + PATIENCE - loop.time())
                    continue
                changes = self.cluster.history.since(seen)
                for change in changes:
                    seen = change.version
                    for told in _order(change, late):
                        if matches(told.pod, selector):
                            await asyncio.sleep(self.latency)
                            yield {"type": told.kind, "object": copy.deepcopy(told.pod)}
                if not changes:
                    await _first(
                        min(BOOKMARKS, deadline - loop.time()),
                        self.cluster.history.news(),
                        stream.news.wait(),
                    )
                    if not self.cluster.history.since(seen) and not stream.news.is_set():
                        metadata = {"resourceVersion": str(self.cluster.history.version)}
                        yield {"type": "BOOKMARK", "object": {"metadata": metadata}}
        finally:
            self.watches.pop(stream)

    async def pod_log(
        self, name: str, container: str, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        fault, log, node = await self._call("pod_log", lambda fault: self._open(name, fault))
        stream, position, given = Stream(), log.start(tail), 0
        self.followers[stream] = None
        try:
            while not stream.ended:
                if stream.end is not None:
                    raise stream.end
                if stream.silent or node in self.cluster.dead_nodes:
                    await self._silence(stream, SILENCE)
                    continue
                size = self.cluster.chance.randint(1, self.largest)
                data = log.read(position, size)
                if isinstance(fault, Cut | Dead) and given + len(data) >= fault.after:
                    data = data[: fault.after - given]
                    stream.silent = isinstance(fault, Dead)
                    stream.ended = isinstance(fault, Cut) and fault.clean
                    if isinstance(fault, Cut) and not fault.clean:
                        stream.end = ApiError("Kubernetes does not answer: connection reset")
                position, given = position + len(data), given + len(data)
                if data:
                    await asyncio.sleep(self.latency)
                    yield data
                elif stream.end is None and not stream.silent:
                    if log.closed or not follow:
                        return
                    await _first(SILENCE, log.news(), stream.news.wait())
        finally:
            self.followers.pop(stream)

    # -- what happens on the way -----------------------------------------------------------------

    def cut_off(self) -> None:
        """The API server goes: streams break, and calls meet nobody (see ``Cluster.away``)."""
        for stream in (*self.watches, *self.followers):
            stream.stop(ApiError("Kubernetes does not answer: connection reset"))

    async def _call(self, verb: str, answer: Callable[[Fault | None], Any]) -> Any:
        self.cluster.calls[verb] += 1
        await self._alive()
        waiting = self.faults.get(verb)
        fault = waiting.pop(0) if waiting else self.weather(verb)
        await asyncio.sleep(fault.seconds if isinstance(fault, Slow) else self.latency)
        if self.cluster.away is not None:
            raise self.cluster.away
        if isinstance(fault, Refused):
            raise ApiError(
                f"Kubernetes answers with {fault.code}: {fault.words}", fault.code, fault.words
            )
        if isinstance(fault, NotHeard):
            await self._no_answer(fault.seconds)
        found = answer(fault)
        if isinstance(fault, Twice):
            found = answer(fault)
        if verb != "pod_log":  # what is answered is how things are now
            found = copy.deepcopy(found)
        if isinstance(fault, AnswerLost):
            await self._no_answer(fault.seconds)
        await asyncio.sleep(fault.seconds if isinstance(fault, Slow) else self.latency)
        await self._alive()
        return found

    def _open(self, name: str, fault: Fault | None) -> tuple[Fault | None, Any, str]:
        if self.cluster.logs_forbidden:
            raise ApiError("Kubernetes refuses the image builder: pods/log", 403, "pods/log")
        pod = self.cluster.history.pods.get(name)
        if pod is None:
            raise ApiError(f'Kubernetes answers with 404: pods "{name}" not found', 404)
        statuses = pod["status"].get("containerStatuses") or [{"state": {"waiting": {}}}]
        if "waiting" in statuses[0]["state"]:
            words = "the container is waiting to start: ContainerCreating"
            raise ApiError(f"Kubernetes answers with 400: {words}", 400, words)
        node = pod["spec"]["nodeName"]
        if node in self.cluster.dead_nodes:
            raise ApiError("Kubernetes answers with 500: dial tcp: i/o timeout", 500)
        return fault, self.cluster.logs[pod["metadata"]["uid"]], node

    async def _silence(self, stream: Stream, seconds: float) -> None:
        await _first(max(seconds, 0), stream.news.wait())
        if not stream.news.is_set():
            raise ApiError("Kubernetes does not answer: SocketTimeoutError")

    async def _no_answer(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise ApiError("Kubernetes does not answer: TimeoutError")

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.Event().wait()


def _order(change: Change, late: list[Change]) -> list[Change]:
    """What is told now, of a change that is next and of those that were held back."""
    if change.fate is Fate.LATE:
        late.append(change)
        return []
    told = {Fate.LOST: [], Fate.TWICE: [change, change]}.get(change.fate, [change])
    held, late[:] = list(late), []
    return [*told, *held]


async def _first(seconds: float, *others: Any) -> None:
    """Wait until one of them, or the time, is over."""
    tasks = [asyncio.ensure_future(other) for other in others]
    try:
        await asyncio.wait(tasks, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
