"""All pods of one selector, kept up to date: list, watch from its version, list again when lost.

Knows nothing of a Kubernetes library: it is given two callables.  One watch serves every build;
whoever follows a pod subscribes to its UID and is woken by changes of that pod alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json

LOGGER = logging.getLogger(__name__)

ListPods = Callable[[], Awaitable[Json]]
WatchPods = Callable[[str, int], AsyncGenerator[Json, None]]

#: Seconds between two lists although nothing seems wrong: a lost DELETED is noticed by then.
_RELIST = 300.0
#: Seconds that one watch request lasts; many services must not come back together.
_WATCH_SECONDS = (200, 290)
_BACKOFF_LIMIT = 30.0
#: A watch that breaks goes on from its last version; after so many failures in a row that may be
#: what is wrong.
_LIST_AFTER = 3
#: A watch that ends sooner than this, without a word, is a failure: it must not be spun.
_TOO_SHORT = 1.0
#: Pods that went away: an answer that was on its way meanwhile must not bring one back.
_REMEMBERED = 1000


class Subscription:
    """The last known state of one pod, and word of its changes."""

    def __init__(self, pod: Json | None) -> None:
        self.pod = pod  #: None until it was seen
        self.gone = False  #: there is no such pod any more; ``pod`` is its last state
        self.changed = asyncio.Event()  #: set at each change; the reader clears it


class PodWatch:
    """The pods of a selector, by UID."""

    def __init__(self, list_pods: ListPods, watch_pods: WatchPods, clock: Clock) -> None:
        self._list_pods = list_pods
        self._watch_pods = watch_pods
        self._clock = clock
        self._pods: dict[str, Json] = {}
        self._readers: dict[str, set[Subscription]] = {}
        self._learned: set[str] = set()
        self._gone: dict[str, None] = {}  # the oldest first
        self._version = ""
        self._listed = float("-inf")
        self._failures = 0
        self._leaving: deque[str] = deque(maxlen=_REMEMBERED)
        self._standing = False  # whether the last word of the watch was no failure

    async def run(self) -> None:
        """Watch for ever; ends by cancellation alone."""
        while True:
            try:
                await self.step()
            except ApiError as error:
                if error.code == HTTPStatus.GONE:
                    LOGGER.debug("Pods have to be listed again: %s", error.words or error)
                    self._version = ""
                else:
                    LOGGER.warning("Watching pods failed: %s", error.words or error)
                self._failed()
            except Exception:
                LOGGER.exception("Watching pods failed")
                self._version = ""
                self._failed()
            if self._failures:
                limit = min(_BACKOFF_LIMIT, 0.25 * 2 ** min(self._failures, 10))
                await self._clock.sleep(random.uniform(0, limit))  # noqa: S311 -- jitter

    async def step(self) -> None:
        """One list where it is due, and one watch request to its end."""
        if not self._version or self._clock.now() - self._listed >= _RELIST:
            await self._relist()
        began, heard = self._clock.now(), False
        seconds = random.randint(*_WATCH_SECONDS)  # noqa: S311 -- jitter
        async with contextlib.aclosing(self._watch_pods(self._version, seconds)) as found:
            async for event in found:
                self._apply(event)
                heard = self._standing = True
                self._failures = 0
        if heard or self._clock.now() - began >= _TOO_SHORT:
            self._failures = 0
        else:
            self._failures += 1

    @contextlib.contextmanager
    def subscribe(self, uid: str) -> Iterator[Subscription]:
        """Follow one pod."""
        reader = Subscription(self._pods.get(uid))
        self._readers.setdefault(uid, set()).add(reader)
        try:
            yield reader
        finally:
            readers = self._readers[uid]
            readers.discard(reader)
            if not readers:
                del self._readers[uid]

    def learn(self, pod: Json) -> None:
        """Take in a pod that the caller has just created or read, ahead of the watch."""
        if pod["metadata"]["uid"] not in self._pods:
            self.update(pod)

    def update(self, pod: Json) -> None:
        """Take in a pod that the caller has just read because the watch may be blind."""
        self._learned.add(pod["metadata"]["uid"])
        self._put(pod)

    def forget(self, uid: str) -> None:
        """Take a pod for gone: the caller has asked for it and it was not there."""
        self._drop(uid, None)

    def leaving(self, uid: str) -> None:
        """Know that a pod is being deleted, ahead of the watch."""
        self._leaving.append(uid)

    @property
    def pods(self) -> list[Json] | None:
        """All pods that stay, as they are known now; None while the watch does not stand."""
        if not self._standing:
            return None
        leaving = set(self._leaving)
        return [pod for uid, pod in self._pods.items() if uid not in leaving]

    def _failed(self) -> None:
        self._standing = False
        self._failures += 1
        if self._failures >= _LIST_AFTER:
            self._version = ""

    async def _relist(self) -> None:
        self._learned.clear()
        found = await self._list_pods()
        pods = {pod["metadata"]["uid"]: pod for pod in found.get("items") or []}
        # what was learned since the request began may be younger than its answer
        for uid in self._pods.keys() - pods.keys() - self._learned:
            self._drop(uid, None)
        for uid, pod in pods.items():
            if self._pods.get(uid) != pod:
                self._put(pod)
        self._version = str(found["metadata"]["resourceVersion"])
        self._listed = self._clock.now()
        self._standing = True

    def _apply(self, event: Json) -> None:
        kind, thing = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise ApiError(f"Kubernetes ended the watch: {thing.get('message')}", thing.get("code"))
        self._version = str(thing["metadata"]["resourceVersion"])
        if kind == "DELETED":
            self._drop(thing["metadata"]["uid"], thing)
        elif kind in ("ADDED", "MODIFIED"):
            self._put(thing)

    def _put(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        known = self._pods.get(uid)
        if uid in self._gone or (known is not None and _version(pod) < _version(known)):
            return  # an answer that was overtaken on its way
        self._pods[uid] = pod
        for reader in self._readers.get(uid, ()):
            reader.pod = pod
            reader.changed.set()

    def _drop(self, uid: str, last: Json | None) -> None:
        known = self._pods.pop(uid, None)
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]
        for reader in self._readers.get(uid, ()):
            reader.pod = last or known or reader.pod
            reader.gone = True
            reader.changed.set()


def _version(pod: Json) -> int:
    """For comparison; Kubernetes' versions are numbers that rise, 0 stands for what is none."""
    version = str(pod["metadata"].get("resourceVersion") or "")
    return int(version) if version.isdecimal() else 0
