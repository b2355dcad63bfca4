"""Everything around a service that can fail, and what has to be true of it nevertheless."""

from __future__ import annotations

import asyncio
import collections
import itertools
from collections.abc import Callable
from typing import Any

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes import manifest
from jupyterhub_imagebuilder.executors.kubernetes.api import Json
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.containerlog import ContainerLog
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.provider import FakeProvider
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import MemoryStore
from tests.fakes.turns import LoopClock

from .process import Process, own_tasks
from .viewer import ADMIN, Viewer

COMMIT = "c" * 40
REPOS = 200
#: Seconds after the last build's end by which nothing of it is left: it lingers for a minute.
CLEAN = 400.0


class World:
    """A cluster, a registry, a store, a provider; services come and go.

    :param seed: of everything that is left to chance.
    """

    def __init__(self, seed: int = 0) -> None:
        loop = asyncio.get_running_loop()
        own_tasks(loop)
        self.crashes: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: self.crashes.append(context))
        self.clock = LoopClock(loop)
        self.cluster = Cluster(pushed=self.push, seed=seed)
        self.registry = FakeRegistry()
        self.store = MemoryStore()
        self.provider = FakeProvider({(url(n), "HEAD"): COMMIT for n in range(REPOS)})
        self.limits = QueueLimits()
        self.settings: dict[str, Any] = {}  #: traits of the executor
        self.processes: list[Process] = []  #: those that live
        self.all_processes: list[Process] = []
        self.viewers: list[Viewer] = []
        self.lag = 0.0  #: seconds until the registry shows what was pushed
        self.pods_per_build = 1
        self.count = itertools.count().__next__

    # -- services

    async def start(self, weather: Callable[[str], Fault | None] | None = None) -> Process:
        """Start a service, and wait until it takes requests.

        :param weather: over its connection to the cluster.
        """
        process = Process(self, self.limits, **self.settings)
        if weather is not None:
            process.connection.weather = weather
        self.processes.append(process)
        self.all_processes.append(process)
        await process.ready.wait()
        return process

    @property
    def process(self) -> Process:
        """The newest service."""
        return self.processes[-1]

    @property
    def connection(self) -> Any:
        """Its way to the cluster."""
        return self.process.connection

    def any_process(self) -> Process | None:
        """The newest service that takes requests."""
        return next((p for p in reversed(self.processes) if p.ready.is_set()), None)

    def kill(self, process: Process | None = None) -> None:
        """SIGKILL one, the newest by default."""
        process = process or self.process
        self.processes.remove(process)
        process.kill()

    async def restart(self) -> Process:
        """SIGKILL, and start again."""
        self.kill()
        return await self.start()

    async def stop(self, process: Process) -> None:
        """SIGTERM."""
        self.processes.remove(process)
        await process.stop()

    # -- users

    async def ask(self, repo: int = 0, owner: str = "alice", process: Process | None = None):
        """Ask for an image; what comes back is the build."""
        process = process or self.process
        return await process.call(process.service.request(url(repo), Owner(owner)))

    async def ask_ref(self, repo: int, ref: str) -> Build:
        """Ask for an image of a branch."""
        text = f"{url(repo)}@{ref}"
        return await self.process.call(self.process.service.request(text, ADMIN))

    async def watch(self, repo: int = 0, owner: str = "alice", **how: Any) -> Viewer:
        """Ask for an image and watch its build."""
        return self.view(await self.ask(repo, owner), **how)

    def view(self, build: Build, **how: Any) -> Viewer:
        """Watch a build."""
        viewer = Viewer(self, build.id, **how)
        self.viewers.append(viewer)
        return viewer

    async def cancel(self, build_id: str) -> None:
        """Have an admin stop a build."""
        process = self.process
        await process.call(process.service.cancel(build_id, ADMIN))

    # -- the cluster

    def push(self, pod: Json) -> None:
        """A pod's image arrives in the registry."""
        request = request_of(pod)
        digest = f"sha256:{pod['metadata']['uid']}"
        loop = asyncio.get_running_loop()
        loop.call_later(self.lag, self.registry.images.__setitem__, request.image, digest)

    def pod(self) -> Json:
        """The newest pod that is there."""
        return list(self.cluster.history.pods.values())[-1]

    def logs_of(self, build_id: str) -> list[ContainerLog]:
        """What the pods of a build wrote."""
        pods = [pod for pod in self.cluster.created if request_of(pod).id == build_id]
        return [self.cluster.logs[pod["metadata"]["uid"]] for pod in pods]

    @property
    def name(self) -> str:
        """Its name."""
        return self.pod()["metadata"]["name"]

    async def until_running(self) -> None:
        """Wait until the newest pod runs, and has said a little."""
        while not self.cluster.running():
            await self.cluster.history.news()
        await asyncio.sleep(1.2)

    # -- what has to be true

    async def built(self, viewer: Viewer, within: float = 60.0) -> Viewer:
        """A viewer's build ends with an image."""
        end = await self.ended(viewer, within)
        assert end.phase is Phase.BUILT, end
        assert end.digest in self.registry.images.values()
        return viewer

    async def failed(self, viewer: Viewer, reason: Reason, within: float = 60.0) -> str:
        """A viewer's build ends for that reason; its sentence."""
        end = await self.ended(viewer, within)
        assert end.reason is reason, end
        return end.message

    async def ended(self, viewer: Viewer, within: float = 60.0) -> PhaseChanged:
        """A viewer's build ends; its terminal event."""
        async with asyncio.timeout(within):
            await viewer.task
        assert viewer.end is not None
        return viewer.end

    async def finish(self, *, creations: bool = True) -> None:
        """Come to rest, and check that everything is well and nothing is left.

        :param creations: each build was asked for as often as ``pods_per_build`` says.
        """
        for viewer in self.viewers:
            viewer.check()
        await self.check_ends()
        await asyncio.sleep(CLEAN)
        left = self.cluster.left()
        assert not left, f"pods are left: {left}"
        for process in list(self.processes):
            await self.stop(process)
        if creations:
            self.check_creations()
        for viewer in self.viewers:
            viewer.leave()
        await asyncio.gather(*(v.task for v in self.viewers), return_exceptions=True)
        await self.cluster.close()
        assert not self.crashes, self.crashes
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks, tasks

    async def check_ends(self) -> None:
        """Whoever looks at a build later sees its one end."""
        ended = {v.build_id: v for v in self.viewers if v.end is not None}
        for build_id, viewer in ended.items():
            late = self.view(await self.process.service.get(build_id, ADMIN))
            await self.ended(late)
            late.check()
            self.check_same_end(viewer, late)

    def check_same_end(self, first: Viewer, second: Viewer) -> None:
        """Two viewers of one build were told the same end.

        Where two services live at once, each tells what it has seen.
        """
        heard = min(first.heard, second.heard)
        alive = [p for p in self.all_processes if p.began - 1 <= heard <= p.ended + 1]
        if len(alive) < 2:
            told = [f"{v.end} at {v.heard} from {v.source}" for v in (first, second)]
            assert first.end == second.end, told

    def check_creations(self) -> None:
        """One pod for one build."""
        created = collections.Counter(request_of(pod).key for pod in self.cluster.created)
        assert all(n <= self.pods_per_build for n in created.values()), created


def url(repo: int) -> str:
    """Address of a repository."""
    return f"https://git.example.org/org/repo-{repo}"


def request_of(pod: Json) -> BuildRequest:
    """What a pod was created for."""
    found = manifest.read_request(pod)
    assert found is not None
    return found
