"""A small world in which everything that takes time takes it when the test says so.

Several processes, each with a service of its own, share one executor, one registry and one store.
Every call of theirs can be held and let go later, time is virtual, and the loop runs turn by turn.
The world knows the truth about pods and images and writes down in ``faults`` what must not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest, ImageName, Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Pushed
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.builds.record import Kept
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ExecutorUnavailable,
    Reason,
    RegistryUnavailable,
    ServiceUnavailable,
    StoreUnavailable,
)
from tests.fakes.provider import FakeProvider
from tests.fakes.store import MemoryStore
from tests.fakes.turns import Gate, LoopClock, TurnLoop

from .gated import GatedExecutor, GatedRegistry, Pod
from .records import COMMIT

REPOS = tuple(f"https://git.example.org/org/{name}" for name in ("one", "two", "three"))
OWNERS = (Owner("alice"), Owner("bob"), Owner("root", admin=True))
PREFIX = "registry.example.org/team/"
#: Seconds between two looks for builds that nobody follows.
LOOK = 60.0


class Lifeline:
    """Ports of one process: once it is dead, nothing that it still does reaches the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.dead = False
        self.mine: dict[str, BuildRequest] = {}  #: pods that this process created, by uid

    def now(self) -> float:
        return self._world.clock.now()

    async def sleep(self, seconds: float) -> None:
        await self._alive()
        await self._world.clock.sleep(seconds)

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        await self._alive()
        return await self._world.registry.digest(image, fresh=fresh)

    async def prepare(self, image: ImageName) -> None:
        await self._alive()

    async def claim(self, request: BuildRequest) -> Claim:
        await self._alive()
        claim = await self._world.executor.claim(request)
        if claim.state is ClaimState.CREATED:
            self.mine[claim.uid] = request
        return claim

    async def follow(self, claim: Claim, mark: str | None = None) -> Any:
        await self._alive()
        async with contextlib.aclosing(self._world.executor.follow(claim, mark)) as observations:
            async for observation in observations:
                yield observation

    async def remove(self, claim: Claim) -> None:
        await self._alive()
        await self._world.executor.remove(claim)

    async def found(self) -> list[Claim]:
        await self._alive()
        return await self._world.executor.found()

    async def check(self) -> None:
        await self._alive()

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.Event().wait()


class Memory:
    """The store, as one process has it."""

    def __init__(self, lifeline: Lifeline, store: MemoryStore) -> None:
        self._lifeline = lifeline
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if self._lifeline.dead:
            return lambda *_, **__: asyncio.get_running_loop().create_future()
        return getattr(self._store, name)


class GatedStore(MemoryStore):
    """Questions wait at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.questions = Gate()

    async def unfinished(self, author: str) -> list[Kept]:
        await self.questions.passed(StoreUnavailable)
        return await super().unfinished(author)

    async def get(self, build_id: str) -> Kept | None:
        await self.questions.passed(StoreUnavailable)
        return await super().get(build_id)


@dataclass(slots=True, eq=False)
class Process:
    """One service, and those who talk to it."""

    service: BuildService
    lifeline: Lifeline
    ready: bool = False
    stopped: bool = False
    starting: asyncio.Task[None] | None = None
    requests: list[asyncio.Task[Any]] = field(default_factory=list)
    builds: dict[str, Build] = field(default_factory=dict)
    viewers: dict[str, asyncio.Task[list[Event]]] = field(default_factory=dict)

    def meet(self, build: Build) -> None:
        """Somebody got this build: it is watched from now on."""
        if build.id not in self.builds:
            self.builds[build.id] = build
            self.viewers[build.id] = asyncio.ensure_future(_read(build))


class World:
    """Everything, with a rule's worth of it per method."""

    def __init__(self) -> None:
        self.loop = TurnLoop()
        self.crashes: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.crashes.append(context))
        self.clock = LoopClock(self.loop)
        self.provider = FakeProvider({(repo, "HEAD"): COMMIT for repo in REPOS})
        self.registry = GatedRegistry(self.loop)
        self.executor = GatedExecutor(self.loop, self.registry)
        self.store = GatedStore()
        self.limits = QueueLimits()
        self.acknowledged: set[str] = set()  # ids of builds that somebody was given
        self.processes: list[Process] = []
        self.over: list[Process] = []
        self._digests = itertools.count()

    # -- processes

    def start(self) -> None:
        self.loop.advance(0.001)  # no two processes start at the very same moment
        lifeline = Lifeline(self)
        service = BuildService(
            providers=[self.provider],
            registry=lifeline,
            executor=lifeline,
            policy=SpecPolicy(),
            settings=BuildSettings(image_prefix=PREFIX, limits=self.limits),
            clock=lifeline,
            store=Memory(lifeline, self.store),
        )
        process = Process(service, lifeline)
        self.processes.append(process)
        process.starting = self.spawn(self._start(process))

    async def _start(self, process: Process) -> None:
        while True:
            with contextlib.suppress(ExecutorUnavailable):
                await process.service.take_up()
                process.ready = True
            await process.lifeline.sleep(LOOK if process.ready else 1.0)

    def kill(self, process: Process) -> None:
        """SIGKILL: nothing of it reaches the world any more."""
        process.lifeline.dead = True
        self._forget(process)
        tasks = [process.starting, *process.service._executions._tasks]
        for task in [*tasks, *process.requests, *process.viewers.values()]:
            task.cancel()
        self.loop.settle()

    def stop(self, process: Process) -> None:
        """SIGTERM: the service is told to end, requests that it has taken go on meanwhile."""
        self._forget(process)
        process.requests.append(self.spawn(self._stop(process)))

    async def _stop(self, process: Process) -> None:
        process.starting.cancel()
        await asyncio.wait({process.starting})
        await process.service.stop()
        process.stopped = True

    def _forget(self, process: Process) -> None:
        self.processes.remove(process)
        self.over.append(process)

    # -- users

    def request(self, process: Process, repo: int, owner: int) -> None:
        process.requests.append(self.spawn(self._request(process, REPOS[repo], OWNERS[owner])))

    async def _request(self, process: Process, repo: str, owner: Owner) -> None:
        with contextlib.suppress(RegistryUnavailable, ServiceUnavailable):
            build = await process.service.request(repo, owner)
            self.acknowledged.add(build.id)
            process.meet(build)

    def cancel(self, process: Process, which: int) -> None:
        open_builds = [build for build in process.builds.values() if not build.over]
        if open_builds:
            build = open_builds[which % len(open_builds)]
            self.executor.cancelled.add(build.request.key)
            process.requests.append(self.spawn(process.service.cancel(build.id, OWNERS[-1])))

    # -- pods

    def pods(self) -> list[Pod]:
        """Those that run."""
        return [pod for pod in self.executor.pods.values() if pod.open]

    def push(self, pod: Pod, lag: float) -> None:
        if not pod.pushed:
            pod.pushed = True
            self.registry.push(pod.request.image, f"sha256:{next(self._digests)}", lag)

    def say_pushed(self, pod: Pod, lag: float = 0.0) -> None:
        self.push(pod, lag)
        pod.script.say(Pushed())

    def succeed(self, pod: Pod, lag: float = 0.0) -> None:
        self.push(pod, lag)
        pod.script.end()

    def fail(self, pod: Pod) -> None:
        pod.script.end(BuildFailed("A step failed.", Reason.BUILD_FAILED))

    # -- the end

    def calm(self) -> None:
        """Everything that was held goes on, everything that was away is back."""
        for gate in self.gates().values():
            gate.open()
        self.executor.unavailable = None
        self.registry.down = None
        self.store.recover()

    def gates(self) -> dict[str, Gate]:
        return {
            "look-up": self.registry.questions,
            "its answer": self.registry.answers,
            "claim": self.executor.calls,
            "its outcome": self.executor.answers,
            "removal": self.executor.removals,
            "store": self.store.questions,
        }

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.loop.create_task(work)

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    # -- what has to be true

    def check(self) -> None:
        """What holds at every moment."""
        assert not self.executor.faults, self.executor.faults
        assert not self.crashes, self.crashes
        for process in self.over:
            assert not (process.stopped and process.service._executions._tasks), (
                "a stopped service goes on"
            )
        for process in [*self.processes, *self.over]:
            for build in process.service._catalog.here():
                self._check_build(build)
            self._check_limits(process)

    def _check_limits(self, process: Process) -> None:
        """What a process began is never more than may run; what it adopted runs anyway."""
        here = {build.uid: build for build in process.service._catalog.here() if not build.over}
        running = [request.owner for uid, request in process.lifeline.mine.items() if uid in here]
        assert len(running) <= (self.limits.running or len(running)), "too many run"
        per_user = Counter(owner.name for owner in running)
        assert all(n <= (self.limits.per_user or n) for n in per_user.values()), per_user

    def open_builds(self) -> list[Build]:
        """Builds of the processes that live, which have no end yet."""
        found = [b for process in self.processes for b in process.service._catalog.here()]
        return [build for build in found if not build.over]

    def _check_build(self, build: Build) -> None:
        events = build._feed._events
        ends = [event for event in events if isinstance(event, PhaseChanged) and _over(event)]
        assert len(ends) == build.over
        assert not ends or events[-1] is ends[0]
        assert build.reason is not Reason.INTERNAL, build.message
        if build.phase is Phase.BUILT:
            assert build.digest
            assert self.registry.held(build.request.image, build.digest, build.finished), (
                f"{build.digest} was not in the registry"
            )


def _over(event: PhaseChanged) -> bool:
    return event.phase.terminal


async def _read(build: Build) -> list[Event]:
    return [event async for event in build.events()]
