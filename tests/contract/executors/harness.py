"""What the contract suite needs of an executor: builds that go through, fail, or take a while."""

from __future__ import annotations

import asyncio
from typing import Protocol

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Claim, Executor
from jupyterhub_imagebuilder.errors import BuildFailed
from jupyterhub_imagebuilder.executors.docker.executor import DockerExecutor
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor
from tests.fakes.executor import GOOD, ScriptedExecutor
from tests.unit.executors.docker.fake_engine import FakeEngine
from tests.unit.executors.kubernetes.clock import ManualClock, settle
from tests.unit.executors.kubernetes.fake_api import FakeKubernetes
from tests.unit.executors.requests import make_request

WHY = "No matching distribution found for this-package-does-not-exist-0001"


class Harness(Protocol):
    executor: Executor
    pushes: bool  #: images go to a registry

    def request(self, repository: str) -> BuildRequest:
        """A request for ``hello`` (goes through), ``broken`` (fails) or ``slow``."""

    async def play(self, claim: Claim) -> None:
        """Let the build take its course (a real one does by itself)."""


class ScriptedHarness:
    """The fake that unit tests of the domain use."""

    pushes = True

    def __init__(self) -> None:
        self.executor = ScriptedExecutor(manual=True)

    def request(self, repository: str) -> BuildRequest:
        return make_request(f"git://example.org/{repository}")

    async def play(self, claim: Claim) -> None:
        build = self.executor.build(claim.request.name)
        for text, phase in GOOD[:2]:
            build.line(text, phase)
        if claim.request.spec.repository.endswith("broken"):
            build.line(WHY)
            build.end(BuildFailed(f"The build failed: {WHY}"))
        else:
            build.line(*GOOD[2])
            build.end()


class FakeKubernetesHarness:
    """The Kubernetes executor over a Kubernetes in memory."""

    pushes = True

    def __init__(self) -> None:
        self.api = FakeKubernetes()
        self.executor = KubernetesExecutor(clock=ManualClock(), api=self.api)

    def request(self, repository: str) -> BuildRequest:
        return make_request(f"git://example.org/{repository}")

    async def play(self, claim: Claim) -> None:
        name = claim.request.name
        self.api.run(name)
        await settle()
        self.api.log(
            name,
            '{"message": "Cloning into ...\\n", "phase": "fetching"}',
            '{"message": "#6 [2/2] RUN pip\\n", "phase": "building"}',
        )
        if claim.request.spec.repository.endswith("broken"):
            self.api.log(name, f'{{"message": "ERROR: {WHY}", "phase": "building"}}')
            self.api.finish(name, code=1)
        else:
            self.api.log(name, '{"message": "#9 pushing a:b with docker", "phase": "building"}')
            self.api.finish(name)
        await asyncio.sleep(0)


class FakeEngineHarness:
    """The Docker executor over an engine in memory."""

    pushes = True

    def __init__(self) -> None:
        self.engine = FakeEngine("repo2docker:1")
        self.executor = DockerExecutor(
            clock=ManualClock(), engine=self.engine, build_image="repo2docker:1", tidy=False
        )

    def request(self, repository: str) -> BuildRequest:
        return make_request(f"git://example.org/{repository}")

    async def play(self, claim: Claim) -> None:
        name = claim.request.name
        await settle()
        self.engine.log(
            name,
            '{"message": "Cloning into ...\\n", "phase": "fetching"}',
            '{"message": "#6 [2/2] RUN pip\\n", "phase": "building"}',
        )
        if claim.request.spec.repository.endswith("broken"):
            self.engine.log(name, f'{{"message": "ERROR: {WHY}", "phase": "building"}}')
            self.engine.finish(name, code=1)
        else:
            self.engine.log(name, '{"message": "#9 pushing a:b with docker", "phase": "building"}')
            self.engine.finish(name)


PHASES = [Phase.FETCHING, Phase.BUILDING, Phase.PUSHING]
