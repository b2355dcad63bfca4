"""Kubernetes in memory, as far as the executor sees it, and able to fail on demand."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable

from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json


class FakeKubernetes:
    """Implements ``api.PodApi``; its other methods play scheduler and kubelet."""

    def __init__(self) -> None:
        self.pods: dict[str, Json] = {}
        self.engines: list[Json] = []
        self.logs: dict[str, list[str]] = {}
        self.events: dict[str, list[Json]] = {}
        self.secrets: dict[tuple[str, str], bytes] = {}
        self.created_secrets: list[Json] = []
        self.calls: Counter[str] = Counter()
        #: errors that the next calls of a method raise, one each
        self.failures: dict[str, list[Exception]] = {}
        self.log_forbidden = False
        self.hang_logs = False  #: whoever reads a log waits for ever
        #: what to wait for behind each line of a log
        self.log_pause: Callable[[], Awaitable[None]] | None = None
        self.keep_terminating = False
        self._written: Counter[str] = Counter()
        self._streams = 0
        self._versions = itertools.count(100)
        self._uids = itertools.count(1)
        self._watchers: set[asyncio.Queue[Json | None]] = set()
        self._news = asyncio.Event()

    # -- the API ---------------------------------------------------------------------------------

    async def list_pods(self, selector: str, *, namespace: str = "", limit: int | None = None):
        self._called("list_pods")
        pods = self.engines if "docker-api" in selector else list(self.pods.values())
        return {
            "metadata": {"resourceVersion": str(next(self._versions))},
            "items": copy.deepcopy(pods[:limit]),
        }

    async def watch_pods(self, selector: str, version: str, seconds: int) -> AsyncGenerator:
        self._called("watch_pods")
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watchers.discard(queue)

    async def get_pod(self, name: str):
        self._called("get_pod")
        return copy.deepcopy(self.pods.get(name))

    async def create_pod(self, manifest: Json):
        self._called("create_pod")
        name = manifest["metadata"]["name"]
        if name in self.pods:
            raise ApiError("Kubernetes answers with 409: already exists", 409)
        pod = copy.deepcopy(manifest)
        pod["metadata"]["uid"] = f"uid-{next(self._uids)}"
        pod["status"] = {"phase": "Pending"}
        self.pods[name] = pod
        self.logs[name] = []
        self._changed("ADDED", pod)
        return copy.deepcopy(pod)

    async def delete_pod(self, name: str, uid: str, grace: int) -> None:
        self._called("delete_pod")
        pod = self.pods.get(name)
        if pod is None or pod["metadata"]["uid"] != uid:
            return
        if self.keep_terminating:
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self._changed("MODIFIED", pod)
        else:
            self.vanish(name)

    async def pod_events(self, uid: str):
        self._called("pod_events")
        return list(self.events.get(uid, []))

    async def pod_log(
        self, name: str, container: str, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        lines = await self._readable(name)
        if tail is not None:
            for line in lines[-tail:]:
                yield line.encode()
            return
        for position in itertools.count():
            while position >= len(lines):
                if not follow or self._terminated(name):
                    return
                streams = self._streams
                await self._news.wait()
                if streams != self._streams:
                    raise ApiError("reset")
            yield lines[position].encode()
            if self.log_pause:
                await self.log_pause()

    async def _readable(self, name: str) -> list[str]:
        self._called("pod_log")
        if self.log_forbidden:
            raise ApiError("Kubernetes refuses", 403, "pods/log is forbidden")
        if self.hang_logs:
            await asyncio.Event().wait()
        lines = self.logs.get(name)
        if lines is None:
            raise ApiError("not found", 404)
        return lines

    async def create_secret(self, manifest: Json) -> None:
        self._called("create_secret")
        self.created_secrets.append(manifest)

    async def read_secret(self, name: str, key: str):
        self._called("read_secret")
        return self.secrets.get((name, key))

    async def close(self) -> None:
        self._called("close")

    # -- scheduler and kubelet ---------------------------------------------------------------------

    def change(self, name: str, **status) -> None:
        self.pods[name]["status"] |= status
        self._changed("MODIFIED", self.pods[name])

    def waiting(self, name: str, reason: str, message: str = "") -> None:
        self.pods[name]["spec"]["nodeName"] = "node-1"
        self._container(name, {"waiting": {"reason": reason, "message": message}}, "Pending")

    def run(self, name: str) -> None:
        self.pods[name]["spec"]["nodeName"] = "node-1"
        self._container(name, {"running": {}}, "Running")

    def log(self, name: str, *texts: str) -> None:
        for text in texts if self.logs[name] else (FIRST_LINE, *texts):
            second = self._written[name]
            self._written[name] += 1
            self.logs[name].append(f"2026-01-01T00:00:{second:02d}.000000000Z {text}\n")
        self._wake()

    def finish(self, name: str, code: int = 0, reason: str = "", message: str = "") -> None:
        state = {"exitCode": code, "reason": reason or ("Error" if code else "Completed")}
        if message:
            state["message"] = message
        self._container(name, {"terminated": state}, "Failed" if code else "Succeeded")

    def vanish(self, name: str, *, silently: bool = False) -> None:
        pod = self.pods.pop(name)
        self.logs.pop(name, None)
        self._wake()
        if not silently:
            self._changed("DELETED", pod)

    def end_logs(self) -> None:
        """Break the connections of those who follow a log."""
        self._streams += 1
        self._wake()

    def end_watches(self) -> None:
        for queue in self._watchers:
            queue.put_nowait(None)

    def send(self, event: Json) -> None:
        for queue in self._watchers:
            queue.put_nowait(copy.deepcopy(event))

    def _container(self, name: str, state: Json, phase: str) -> None:
        status = [{"name": "builder", "state": state}]
        self.change(name, phase=phase, containerStatuses=status)
        self._wake()

    def _changed(self, kind: str, pod: Json) -> None:
        pod["metadata"]["resourceVersion"] = str(next(self._versions))
        self.send({"type": kind, "object": pod})

    def _terminated(self, name: str) -> bool:
        return self.pods.get(name, {}).get("status", {}).get("phase") in (
            "Succeeded",
            "Failed",
            None,
        )

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _called(self, method: str) -> None:
        self.calls[method] += 1
        if self.failures.get(method):
            raise self.failures[method].pop(0)
