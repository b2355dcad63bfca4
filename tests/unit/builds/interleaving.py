"""A small world in which everything that takes time takes it when the test says so.

Several processes, each with a service of its own, share one executor and one registry.  Every
call of theirs can be held and let go later, time is virtual, and the loop runs turn by turn.  The
world knows the truth about pods and images and writes down in ``faults`` what must not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest, ImageName, Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Ended, Pushed
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ExecutorUnavailable,
    ImageBuilderError,
    Reason,
    RegistryUnavailable,
    ServiceUnavailable,
)
from tests.fakes.executor import ScriptedBuild, ScriptedExecutor
from tests.fakes.provider import FakeProvider
from tests.fakes.registry import FakeRegistry

from .records import COMMIT

REPOS = ("https://git.example.org/org/one", "https://git.example.org/org/two")
OWNERS = (Owner("alice"), Owner("bob"), Owner("root", admin=True))
PREFIX = "registry.example.org/team/"
#: Seconds that a question to the registry or the executor may stay without an answer.
ANSWER_LIMIT = 10.0
#: An answer of the registry that is older is asked again before a pod is created.
FRESH = 30.0
#: Seconds that a pod which is being deleted lives on unless the test ends it earlier.
GRACE = 20.0
#: Turns after which a loop that has something to do at once is taken for one that spins.
SPIN = 5_000


class TurnLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, of which a test runs single turns."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._virtual = 1_000.0

    def time(self) -> float:
        return self._virtual

    def turn(self) -> None:
        """Run what is ready now, once."""
        self.call_soon(self.stop)
        self.run_forever()

    def settle(self) -> None:
        """Run turns until nothing is ready; no time passes."""
        for _ in range(SPIN):
            self.turn()
            if not self._ready:
                return
        raise AssertionError("the loop spins without time passing")

    def advance(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self._virtual + seconds
        self.settle()
        while (timers := [t for t in self._scheduled if not t.cancelled()]) and (
            due := min(timer.when() for timer in timers)
        ) <= end:
            self._virtual = max(self._virtual, due)
            self.settle()
        self._virtual = end


class LoopClock:
    """The loop's virtual time, as the domain sees it."""

    def __init__(self, loop: TurnLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Gate:
    """Where calls wait: ``closed`` holds those that come, :meth:`let_go` frees one of them."""

    def __init__(self) -> None:
        self.closed = False
        self._held: list[asyncio.Future[None]] = []

    @property
    def held(self) -> list[asyncio.Future[None]]:
        self._held = [waiter for waiter in self._held if not waiter.done()]
        return self._held

    async def passed(self, why: type[ImageBuilderError]) -> None:
        if not self.closed:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._held.append(waiter)
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                await waiter
        except TimeoutError as error:
            raise why("No answer in time.") from error

    def let_go(self, which: int, error: ImageBuilderError | None = None) -> None:
        if not self.held:
            return
        waiter = self.held[which % len(self.held)]
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def open(self) -> None:
        self.closed = False
        while self.held:
            self.let_go(0)


@dataclass(slots=True)
class Pod:
    """The truth about one pod."""

    script: ScriptedBuild
    pushed: bool = False
    dying: asyncio.Event | None = None  #: set when it is gone
    gone: bool = False

    @property
    def request(self) -> BuildRequest:
        return self.script.request

    @property
    def open(self) -> bool:
        """Whether it runs: it can still say and push something."""
        return not self.gone and not self.script.ended

    @property
    def succeeded(self) -> bool:
        return self.pushed and self.script.ended and self.script.said[-1] == Ended()


@dataclass(slots=True)
class Span:
    """From when to when the registry held a digest under a name, as its readers see it."""

    image: ImageName
    digest: str
    pushed: float
    visible: float
    removed: float | None = None


class GatedRegistry(FakeRegistry):
    """Questions wait at one gate, answers at another."""

    def __init__(self, loop: TurnLoop) -> None:
        super().__init__()
        self.loop = loop
        self.questions = Gate()
        self.answers = Gate()
        self.spans: list[Span] = []

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        await self.questions.passed(RegistryUnavailable)
        self._read()
        digest = await super().digest(image, fresh=fresh)
        await self.answers.passed(RegistryUnavailable)
        return digest

    def push(self, image: ImageName, digest: str, lag: float) -> None:
        now = self.loop.time()
        self.remove(image)
        self.spans.append(Span(image, digest, now, now + lag))

    def remove(self, image: ImageName) -> None:
        for span in self.spans:
            if span.image == image and span.removed is None:
                span.removed = self.loop.time()

    def holds(self, image: ImageName) -> Span | None:
        """What was pushed and not removed, whether it can be read yet or not."""
        return next((s for s in self.spans if s.image == image and s.removed is None), None)

    def held(self, image: ImageName, digest: str, when: float) -> bool:
        """Whether readers saw that digest then; an answer may have been on its way for a while."""
        return any(
            (s.image, s.digest) == (image, digest)
            and s.visible <= when
            and (s.removed is None or s.removed >= when - ANSWER_LIMIT)
            for s in self.spans
        )

    def _read(self) -> None:
        self.images = {
            s.image: s.digest
            for s in self.spans
            if s.visible <= self.loop.time() and s.removed is None
        }


class GatedExecutor(ScriptedExecutor):
    """Pods take their time to go, calls and their answers wait at gates.

    ``faults`` says what no service may do.
    """

    def __init__(self, loop: TurnLoop, registry: GatedRegistry) -> None:
        super().__init__(manual=True)
        self.loop = loop
        self.registry = registry
        self.calls = Gate()
        self.answers = Gate()
        self.removals = Gate()
        self.pods: dict[str, Pod] = {}  # by uid, oldest first
        self.cancelled: set[str] = set()  # keys whose build somebody stopped
        self.faults: list[str] = []

    async def claim(self, request: BuildRequest) -> Claim:
        await self.calls.passed(ExecutorUnavailable)
        if (pod := self._pod(request.name)) is not None and pod.dying is not None:
            await pod.dying.wait()
            return Claim(pod.request, pod.script.uid, ClaimState.GONE)
        claim = await super().claim(request)
        if claim.state is ClaimState.CREATED:
            self._created(claim)
        await self.answers.passed(ExecutorUnavailable)
        return claim

    async def remove(self, claim: Claim) -> None:
        await self.removals.passed(ExecutorUnavailable)
        self._fail()
        self.removed.append(claim)
        pod = self.pods.get(claim.uid)
        if pod is None or pod.request.name != claim.request.name:
            self.faults.append(f"{claim.uid} is no pod of {claim.request.name}")
            return
        if pod.open and not pod.pushed and pod.request.key not in self.cancelled:
            self.faults.append(f"{claim.uid} was removed while it was building")
        image = self.registry.holds(pod.request.image)
        arriving = image is not None and image.visible > self.loop.time()
        if pod.succeeded and arriving and pod.request.key not in self.cancelled:
            self.faults.append(f"{claim.uid} was removed before its image could be read")
        self.delete(pod)

    async def found(self) -> list[Claim]:
        dying = {pod.script.uid for pod in self.pods.values() if pod.dying}
        return [claim for claim in await super().found() if claim.uid not in dying]

    def delete(self, pod: Pod) -> None:
        """Kubernetes takes the pod away: it is being deleted now, and gone later."""
        if pod.gone or pod.dying is not None:
            return
        pod.dying = asyncio.Event()
        self.loop.call_later(GRACE, self.vanish, pod)

    def vanish(self, pod: Pod) -> None:
        """The pod is gone."""
        if pod.gone:
            return
        pod.gone = True
        del self._builds[pod.request.name]
        pod.script.vanish()
        if pod.dying is not None:
            pod.dying.set()

    def _pod(self, name: str) -> Pod | None:
        held = self._builds.get(name)
        return self.pods[held.uid] if held else None

    def _created(self, claim: Claim) -> None:
        name, now = claim.request.name, self.loop.time()
        image = self.registry.holds(claim.request.image)
        if image is not None and now - image.pushed > FRESH:
            self.faults.append(f"{claim.uid} was created although its image is there")
        for pod in self.pods.values():
            if pod.request.key == claim.request.key and not pod.gone:
                self.faults.append(f"{claim.uid} was created beside {pod.script.uid}")
        self.pods[claim.uid] = Pod(self._builds[name])


class Lifeline:
    """Ports of one process: once it is dead, nothing that it still does reaches the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.dead = False

    def now(self) -> float:
        return self._world.clock.now()

    async def sleep(self, seconds: float) -> None:
        await self._alive()
        await self._world.clock.sleep(seconds)

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        await self._alive()
        return await self._world.registry.digest(image, fresh=fresh)

    async def claim(self, request: BuildRequest) -> Claim:
        await self._alive()
        return await self._world.executor.claim(request)

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
        self.processes: list[Process] = []
        self.over: list[Process] = []
        self._digests = itertools.count()

    # -- processes

    def start(self) -> None:
        lifeline = Lifeline(self)
        service = BuildService(
            providers=[self.provider],
            registry=lifeline,
            executor=lifeline,
            policy=SpecPolicy(),
            settings=BuildSettings(image_prefix=PREFIX),
            clock=lifeline,
        )
        process = Process(service, lifeline)
        self.processes.append(process)
        process.starting = self.spawn(self._start(process))

    async def _start(self, process: Process) -> None:
        while True:
            try:
                await process.service.take_up()
            except ExecutorUnavailable:
                await process.lifeline.sleep(1.0)
            else:
                break
        process.ready = True

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
            process.meet(await process.service.request(repo, owner))

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

    def gates(self) -> dict[str, Gate]:
        return {
            "look-up": self.registry.questions,
            "its answer": self.registry.answers,
            "claim": self.executor.calls,
            "its outcome": self.executor.answers,
            "removal": self.executor.removals,
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
