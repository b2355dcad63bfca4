"""A service of builds with fakes around it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.errors import BuildFailed
from tests.fakes.clock import InstantClock
from tests.fakes.executor import ScriptedExecutor
from tests.fakes.provider import FakeProvider
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import COMMIT

REPO = "https://git.example.org/org/repo"
NEWER = "f" * 40


class PushingExecutor(ScriptedExecutor):
    """What is built is in the registry when the build ends, as a push leaves it."""

    registry: FakeRegistry

    def __init__(self) -> None:
        super().__init__()
        self.unpushed: set[str] = set()  #: UIDs of builds whose images are not there

    async def follow(self, claim, mark=None):
        async with aclosing(super().follow(claim, mark)) as observations:
            async for observation in observations:
                built = getattr(observation, "error", BuildFailed) is None
                if built and claim.uid not in self.unpushed:
                    self.registry.images[claim.request.image] = f"sha256:{claim.request.key}"
                yield observation


class World:
    """A service with everything around it."""

    def __init__(self, **settings):
        self.clock = InstantClock()
        self.provider = FakeProvider({(REPO, "HEAD"): COMMIT, (REPO, "main"): COMMIT})
        self.registry = FakeRegistry()
        self.executor = PushingExecutor()
        self.executor.registry = self.registry
        self.settings = settings
        self.policy = SpecPolicy()
        self.store: MemoryStore | None = None
        self.services = []

    def service(self):
        service = BuildService(
            providers=[self.provider],
            registry=self.registry,
            executor=self.executor,
            policy=self.policy,
            settings=BuildSettings(image_prefix="registry.example.org/team/", **self.settings),
            clock=self.clock,
            store=self.store,
        )
        self.services.append(service)
        return service


class LongWaits(InstantClock):
    """Waiting for an hour is waiting until the test is over; everything shorter is an instant."""

    async def sleep(self, seconds):
        if seconds >= 3600:
            await asyncio.Event().wait()
        await super().sleep(seconds)


async def end(build: Build) -> PhaseChanged:
    return [event async for event in build.events()][-1]


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)
