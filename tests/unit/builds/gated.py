"""A registry and an executor whose calls wait at gates, and which know what no service may do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.model import BuildRequest, ImageName
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Ended
from jupyterhub_imagebuilder.errors import ExecutorUnavailable, RegistryUnavailable
from tests.fakes.executor import ScriptedBuild, ScriptedExecutor
from tests.fakes.registry import FakeRegistry
from tests.fakes.turns import ANSWER_LIMIT, Gate, TurnLoop

#: An answer of the registry that is older is asked again before a pod is created.
FRESH = 30.0
#: Seconds that a pod which is being deleted lives on unless the test ends it earlier.
GRACE = 20.0


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
        self.lose(image)
        self.spans.append(Span(image, digest, now, now + lag))

    async def prepare(self, image: ImageName) -> None:
        """Always well: a fault here is one of the claim."""

    def lose(self, image: ImageName) -> None:
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
