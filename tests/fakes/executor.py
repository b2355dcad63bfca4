"""An executor that builds nothing and does what its test says.

By default a build runs through at once.  With ``manual`` set, a new build says nothing until the
test drives it: ``executor.build(name).line("…")``, ``.phase(…)``, ``.end(error)``, ``.vanish()``,
``.forget()`` (the log so far cannot be read any more).
Passes the contract suite in ``tests/contract/executors``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import (
    Checkpoint,
    Claim,
    ClaimState,
    Ended,
    Observation,
)
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason

#: Lines behind a gap are numbered from the next multiple of this.
JUMP = 1_000_000

LOST = BuildFailed("The build pod was deleted.", Reason.EXECUTOR_LOST)

#: What a build says that goes through: text and the phase that it shows.
GOOD = (
    ("Cloning into '/tmp/repo'...", Phase.FETCHING),
    ("#6 [2/3] RUN pip install cowsay", Phase.BUILDING),
    ("#9 pushing registry/image:tag with docker", Phase.PUSHING),
)


class ScriptedBuild:
    """One build, as its test writes it."""

    def __init__(self, request: BuildRequest, uid: str) -> None:
        self.request = request
        self.uid = uid
        self.said: list[Observation] = []
        self._lines = itertools.count()
        self._forgotten = 0  # observations that no follower is told any more
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        return bool(self.said) and isinstance(self.said[-1], Ended)

    @property
    def claim_state(self) -> ClaimState:
        return ClaimState.FINISHED if self.ended else ClaimState.RUNNING

    def line(self, text: str, phase: Phase | None = None) -> None:
        self.say(LogLine(self.uid, next(self._lines), text, phase))

    def phase(self, phase: Phase, message: str) -> None:
        self.say(PhaseChanged(phase, message))

    def end(self, error: BuildFailed | None = None) -> None:
        if not self.ended:
            self.say(Ended(error))

    def vanish(self) -> None:
        """The pod is deleted by someone."""
        self.end(LOST)

    def forget(self) -> None:
        """The log so far is moved away: marks in it are not found any more."""
        self._forgotten = len(self.said) - self.ended

    def say(self, observation: Observation) -> None:
        assert not self.ended, "nothing follows the end"
        self.said.append(observation)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def observations(self, mark: str | None = None) -> AsyncIterator[Observation]:
        place, index = self._read_mark(mark)
        if place < self._forgotten:
            yield Gap("Some lines are missing here.")
            place, index = self._forgotten, (index // JUMP + 1) * JUMP
        for position in itertools.count(place):
            while position >= len(self.said):
                await self._news.wait()
            said = self.said[position]
            if isinstance(said, LogLine):
                yield dataclasses.replace(said, index=index)
                index += 1
                yield Checkpoint(f"{self.uid} {position + 1} {index}")
                continue
            yield said
            if isinstance(said, Ended):
                return

    def _read_mark(self, mark: str | None) -> tuple[int, int]:
        """What comes next: its place in ``said``, and the index of the next line."""
        uid, *numbers = mark.split() if mark else [""]
        if uid != self.uid:
            return 0, 0
        place, index = map(int, numbers)
        return place, index


class ScriptedExecutor:
    """Implements ``builds.ports.Executor``."""

    def __init__(self, *, manual: bool = False) -> None:
        self.manual = manual
        #: set to have every call fail
        self.unavailable: ExecutorUnavailable | None = None
        #: set to have the next claim refused
        self.refuse: BuildFailed | None = None
        #: clear to hold every claim until the test sets it again
        self.admit = asyncio.Event()
        self.admit.set()
        self.created: list[BuildRequest] = []
        self.removed: list[Claim] = []
        self.following = 0
        self._builds: dict[str, ScriptedBuild] = {}
        self._uids = itertools.count(1)

    def build(self, name: str) -> ScriptedBuild:
        """The build that holds a name now."""
        return self._builds[name]

    async def claim(self, request: BuildRequest) -> Claim:
        await self.admit.wait()
        self._fail()
        if self.refuse:
            refused, self.refuse = self.refuse, None
            raise refused
        held = self._builds.get(request.name)
        if held is None:
            held = ScriptedBuild(request, f"uid-{next(self._uids)}")
            self._builds[request.name] = held
            self.created.append(request)
            if not self.manual:
                self._run_through(held)
            return Claim(request, held.uid, ClaimState.CREATED)
        if held.request.key != request.key:
            raise BuildFailed("Another build has this name.", Reason.EXECUTOR_LOST)
        return Claim(held.request, held.uid, held.claim_state)

    async def follow(self, claim: Claim, mark: str | None = None) -> AsyncIterator[Observation]:
        held = self._held(claim)
        if held is None:
            yield Ended(LOST)
            return
        self.following += 1
        try:
            async for observation in held.observations(mark):
                yield observation
        finally:
            self.following -= 1

    async def remove(self, claim: Claim) -> None:
        self._fail()
        self.removed.append(claim)
        held = self._held(claim)
        if held is not None:
            del self._builds[claim.request.name]
            held.vanish()

    async def found(self) -> list[Claim]:
        self._fail()
        return [Claim(b.request, b.uid, b.claim_state) for b in self._builds.values()]

    async def check(self) -> None:
        self._fail()

    def put(self, request: BuildRequest) -> ScriptedBuild:
        """A build that was there before: what a restarted service finds."""
        held = ScriptedBuild(request, f"uid-{next(self._uids)}")
        self._builds[request.name] = held
        return held

    def _held(self, claim: Claim) -> ScriptedBuild | None:
        held = self._builds.get(claim.request.name)
        return held if held and held.uid == claim.uid else None

    def _run_through(self, build: ScriptedBuild) -> None:
        build.phase(Phase.WAITING, "Starting the build.")
        for text, phase in GOOD:
            build.line(text, phase)
        build.end()

    def _fail(self) -> None:
        if self.unavailable:
            raise self.unavailable
