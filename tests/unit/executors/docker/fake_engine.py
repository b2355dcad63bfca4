"""A container engine in memory: what :class:`engine.Engine` does, with faults on demand.

The contract suite runs over it as over the real one.
"""

from __future__ import annotations

import asyncio
import itertools

from jupyterhub_imagebuilder.executors.docker.engine import EngineError
from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE


class FakeContainer:
    def __init__(self, number: int, name: str, body: dict) -> None:
        self.id = f"{number:064x}"
        self.name = name
        self.body = body
        self.state = {"Status": "created", "ExitCode": 0, "OOMKilled": False}
        self.files: dict[str, bytes] = {}
        self.records: list[bytes] = []
        self.news = asyncio.Event()
        self.starts = 0

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


def mounts(body: dict) -> list[dict]:
    """A container's mounts, as the engine tells them."""
    return [
        {"Type": item["Type"], "Source": item["Source"], "Destination": item["Target"]}
        for item in body["HostConfig"]["Mounts"]
    ]


class FakeEngine:
    socket = "/var/run/docker.sock"

    def __init__(self, *images: str) -> None:
        self.there = set(images)  #: images that need no pull
        self.pulls: list[str] = []
        self.pull_news: list[dict] = []
        self.pull_error: EngineError | None = None
        self.gate = asyncio.Event()  #: pulls wait for it
        self.gate.set()
        self.away = False
        self.refusals: dict[str, EngineError] = {}  #: by method
        self._containers: dict[str, FakeContainer] = {}
        self._numbers = itertools.count(1)
        self._times = itertools.count()

    # what a test does

    def named(self, name: str) -> FakeContainer:
        return next(item for item in self._containers.values() if item.name == name)

    def log(self, name: str, *lines: str) -> None:
        item = self.named(name)
        for line in lines:
            time = f"2026-01-01T00:00:00.{next(self._times):09d}Z"
            item.records.append(f"{time} {line}\n".encode())
        item.wake()

    def finish(self, name: str, *, code: int = 0, **state) -> None:
        item = self.named(name)
        item.state = {"Status": "exited", "ExitCode": code, "OOMKilled": False, **state}
        item.wake()

    def vanish(self, name: str) -> None:
        item = self._containers.pop(self.named(name).id)
        item.state = {"Status": "removing"}
        item.wake()

    def break_streams(self) -> None:
        for item in self._containers.values():
            item.wake()

    # the engine

    def _answer(self, method: str) -> None:
        if self.away:
            raise EngineError("The container engine does not answer.")
        if method in self.refusals:
            raise self.refusals[method]

    def _get(self, container: str) -> FakeContainer:
        for item in self._containers.values():
            if container in (item.id, item.name):
                return item
        raise EngineError("no such container", 404, f"No such container: {container}")

    async def ping(self) -> None:
        self._answer("ping")

    async def create(self, name: str, body: dict) -> str:
        self._answer("create")
        if body["Image"] not in self.there:
            raise EngineError("no such image", 404, f"No such image: {body['Image']}")
        if any(item.name == name for item in self._containers.values()):
            raise EngineError("conflict", 409, f"The container name {name} is already in use")
        item = FakeContainer(next(self._numbers), name, body)
        self._containers[item.id] = item
        return item.id

    async def put(self, container: str, path: str, content: bytes) -> None:
        self._answer("put")
        self._get(container).files[path] = content

    async def start(self, container: str) -> None:
        self._answer("start")
        item = self._get(container)
        item.starts += 1
        item.state = item.state | {"Status": "running"}
        self.log(item.name, FIRST_LINE)

    async def inspect(self, container: str) -> dict | None:
        self._answer("inspect")
        try:
            item = self._get(container)
        except EngineError:
            return None
        return {
            "Id": item.id,
            "Name": f"/{item.name}",
            "State": dict(item.state),
            "Config": {"Labels": item.body["Labels"]},
            "Mounts": mounts(item.body),
        }

    async def containers(self, label: str | None = None) -> list[dict]:
        self._answer("containers")
        name, _, value = (label or "").partition("=")
        return [
            {
                "Id": item.id,
                "Names": [f"/{item.name}"],
                "State": item.state["Status"],
                "Labels": item.body["Labels"],
                "ImageID": item.body["Image"],
                "Mounts": mounts(item.body),
            }
            for item in reversed(self._containers.values())  # the newest first
            if not label or item.body["Labels"].get(name) == value
        ]

    async def remove(self, container: str) -> None:
        self._answer("remove")
        if container in self._containers:
            self.vanish(self._containers[container].name)

    async def inspect_image(self, image: str) -> dict | None:
        self._answer("inspect_image")
        return {"Id": f"sha256:{image}"} if image in self.there else None

    async def pull(self, image: str):
        self._answer("pull")
        self.pulls.append(image)
        for item in self.pull_news:
            yield item
        await self.gate.wait()
        if self.pull_error is not None:
            raise self.pull_error
        self.there.add(image)

    async def logs(self, container: str, *, follow: bool, tail: int | None = None):
        self._answer("logs")
        item = self._get(container)
        place = 0 if tail is None else max(0, len(item.records) - tail)
        while True:
            while place < len(item.records):
                yield item.records[place]
                place += 1
            if not follow or item.state["Status"] != "running" or self.away:
                return
            await item.news.wait()

    async def close(self) -> None:
        pass
