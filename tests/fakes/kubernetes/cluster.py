"""API server, scheduler, kubelet and engine, as far as build pods meet them."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import datetime as dt
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from jupyterhub_imagebuilder.executors import entrypoint
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json
from jupyterhub_imagebuilder.executors.kubernetes.manifest import CONTAINER

from .containerlog import ContainerLog
from .history import History
from .program import GOOD, PUSH, Program

#: Seconds after which pods of a node that says nothing are deleted.
EVICTION = 300.0
NODE = "node-1"


class Cluster:
    """One namespace.  Times are those of the running loop.

    :param program: what a new pod will do; tests change it as they go.
    :param pushed: is told of pods whose image arrives in the registry.
    """

    def __init__(
        self,
        program: Callable[[Json], Program] = lambda _: GOOD,
        *,
        pushed: Callable[[Json], object] = lambda _: None,
        seed: int = 0,
    ) -> None:
        self.program = program
        self.pushed = pushed
        self.chance = random.Random(seed)
        self.history = History()
        self.logs: dict[str, ContainerLog] = {}  #: by UID; of pods that are gone, too
        self.created: list[Json] = []  #: every pod that there ever was, as it was created
        self.events: dict[str, list[Json]] = {}
        self.secrets: dict[tuple[str, str], bytes] = {}
        self.calls: Counter[str] = Counter()
        self.away: ApiError | None = None  #: what every call meets while the API server is away
        self.logs_forbidden = False
        self.dead_nodes: set[str] = set()
        self.never_gone = False  #: who is being deleted stays
        self.skew = 0.0  #: by how much the nodes' clocks are ahead
        self._loop = asyncio.get_running_loop()
        self._lives: dict[str, asyncio.Task[None]] = {}  # by UID
        self._tasks: set[asyncio.Task[Any]] = set()
        self._uids = itertools.count(1)

    # -- what clients do -------------------------------------------------------------------------

    def create(self, manifest: Json) -> Json:
        name = manifest["metadata"]["name"]
        if name in self.history.pods:
            raise ApiError(f'Kubernetes answers with 409: pods "{name}" already exists', 409)
        pod = copy.deepcopy(manifest)
        number = next(self._uids)
        pod["metadata"] |= {
            "uid": f"{number:08x}-0000-4000-8000-{self.chance.getrandbits(48):012x}",
            "creationTimestamp": self._time(),
        }
        pod["status"] = {"phase": "Pending"}
        uid = pod["metadata"]["uid"]
        self.logs[uid] = ContainerLog(lambda: self._loop.time() + self.skew)
        self.history.put("ADDED", pod)
        self.created.append(copy.deepcopy(pod))
        self._lives[uid] = self._spawn(self._live(pod, self.program(pod)))
        return copy.deepcopy(pod)

    def delete(self, name: str, uid: str, grace: int) -> None:
        pod = self.history.pods.get(name)
        if pod is None or pod["metadata"]["uid"] != uid:
            return
        node = pod["spec"].get("nodeName")
        over = pod["status"]["phase"] in ("Succeeded", "Failed")
        if not grace or ((not node or over) and not self.never_gone):
            self.vanish(name)
        elif "deletionTimestamp" not in pod["metadata"]:
            pod["metadata"]["deletionTimestamp"] = self._time()
            self.history.put("MODIFIED", pod)
            if node not in self.dead_nodes:
                self._spawn(self._terminate(pod, float(grace)))

    # -- what happens to pods --------------------------------------------------------------------

    def vanish(self, name: str, *, silently: bool = False) -> None:
        """The pod is gone at once; where silently, nobody who watches is ever told."""
        pod = self.history.pods[name]
        self._end_life(pod)
        self.logs[pod["metadata"]["uid"]].close()
        if silently:
            del self.history.pods[name]
            self.history.changes = [
                c for c in self.history.changes if c.pod["metadata"]["name"] != name
            ]
        else:
            self.history.put("DELETED", pod)

    def change(self, name: str, **status: Any) -> None:
        """Something of the pod's status changes."""
        pod = self.history.pods[name]
        pod["status"] |= status
        self.history.put("MODIFIED", pod)

    def evict(self, name: str) -> None:
        """The eviction API, as a drain uses it."""
        pod = self.history.pods[name]
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        pod["status"].setdefault("conditions", []).append(condition)
        self.delete(name, pod["metadata"]["uid"], 30)

    def lose_node(self, node: str = NODE) -> None:
        """The node says nothing any more; after a while its pods are deleted, in name."""
        self.dead_nodes.add(node)
        for pod in self._on(node):
            self._end_life(pod)
        self._loop.call_later(EVICTION, self._evict_all, node)

    def remove_node(self, node: str = NODE) -> None:
        """The node's object is deleted, and what was on it."""
        for pod in self._on(node):
            self.vanish(pod["metadata"]["name"])

    def running(self) -> list[Json]:
        """Pods whose container runs, oldest first."""
        return [p for p in self.history.pods.values() if p["status"]["phase"] == "Running"]

    def left(self) -> list[str]:
        """Names of the pods that are there."""
        return list(self.history.pods)

    def log_of(self, name: str) -> ContainerLog:
        """The log of the pod that has a name now."""
        return self.logs[self.history.pods[name]["metadata"]["uid"]]

    async def close(self) -> None:
        """Power off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- scheduler and kubelet -------------------------------------------------------------------

    async def _live(self, pod: Json, program: Program) -> None:
        uid = pod["metadata"]["uid"]
        if program.scheduled is None:
            self._waits(pod, program)
            return
        await asyncio.sleep(program.scheduled)
        pod["spec"]["nodeName"] = NODE
        pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
        self._waits(pod, program)
        if program.starts is None or NODE in self.dead_nodes:
            return
        await asyncio.sleep(program.starts)
        self._status(pod, "Running", {"running": {"startedAt": self._time()}})
        try:
            async with asyncio.timeout(pod["spec"]["activeDeadlineSeconds"]):
                await self._run(pod, program, self.logs[uid])
        except TimeoutError:
            self.logs[uid].close()
            end = {"exitCode": 137, "reason": "Error"}
            self._status(pod, "Failed", {"terminated": end}, reason="DeadlineExceeded")
            return
        self.logs[uid].close()
        await asyncio.sleep(program.reported)
        end = {"exitCode": program.code, "message": program.message}
        end["reason"] = program.reason or ("Error" if program.code else "Completed")
        more = program.status or {}
        self._status(pod, "Failed" if program.code else "Succeeded", {"terminated": end}, **more)

    async def _run(self, pod: Json, program: Program, log: ContainerLog) -> None:
        log.write(f"{entrypoint.FIRST_LINE}\n".encode())
        for step in program.steps:
            if isinstance(step, bytes):
                log.write(step)
            elif step is PUSH:
                self.pushed(pod)
            else:
                await asyncio.sleep(step)
        await asyncio.sleep(1.0)  # as the entrypoint does

    async def _terminate(self, pod: Json, grace: float) -> None:
        """SIGTERM, and SIGKILL when the grace is over."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        deaf = self.program(pod).deaf
        await asyncio.sleep(grace if deaf else min(grace, 0.5))
        if self.never_gone or self.history.pods.get(name) is not pod:
            return
        self._end_life(pod)
        self.logs[uid].close()
        if pod["status"]["phase"] == "Running":
            end = {"exitCode": 137 if deaf else 143, "reason": "Error"}
            self._status(pod, "Failed", {"terminated": end})
            await asyncio.sleep(0.2)
        if self.history.pods.get(name) is pod and not self.never_gone:
            self.vanish(name)

    def _waits(self, pod: Json, program: Program) -> None:
        uid = pod["metadata"]["uid"]
        self.events[uid] = [
            {"reason": reason, "message": message, "lastTimestamp": self._time()}
            for reason, message in program.events
        ]
        if program.condition:
            pod["status"]["conditions"] = [program.condition]
        reason, message = program.waiting or ("ContainerCreating", "")
        waiting = {"waiting": {"reason": reason, "message": message}}
        self._status(pod, "Pending", waiting if pod["spec"].get("nodeName") else None)

    def _status(self, pod: Json, phase: str, state: Json | None, **more: Any) -> None:
        pod["status"] |= {"phase": phase, **more}
        if state is not None:
            pod["status"]["containerStatuses"] = [{"name": CONTAINER, "state": state}]
        self.history.put("MODIFIED", pod)

    def _evict_all(self, node: str) -> None:
        for pod in self._on(node):
            self.evict(pod["metadata"]["name"])

    def _on(self, node: str) -> list[Json]:
        return [p for p in self.history.pods.values() if p["spec"].get("nodeName") == node]

    def _end_life(self, pod: Json) -> None:
        life = self._lives.pop(pod["metadata"]["uid"], None)
        if life is not None:
            life.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # whoever asked for it, the cluster does it
        task = self._loop.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _time(self) -> str:
        moment = dt.datetime.fromtimestamp(self._loop.time() + self.skew, dt.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
