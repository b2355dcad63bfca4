from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.executors.docker.executor import DockerExecutor
from tests.unit.executors.docker.fake_engine import FakeEngine
from tests.unit.executors.kubernetes.clock import ManualClock, settle

IMAGE = "registry.example.org/repo2docker:1"


class World:
    """An executor over an engine in memory, and what its builds have said so far."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = FakeEngine(IMAGE)
        self.executors = []
        self.tasks = []
        self.executor = self.new_executor()

    def new_executor(self, **settings):
        settings = {"build_image": IMAGE, "tidy": False, **settings}
        found = DockerExecutor(clock=self.clock, engine=self.engine, **settings)
        self.executors.append(found)
        return found

    async def follow(self, claim, mark=None):
        """Observations of a build, in a list that grows."""
        said = []

        async def consume():
            async for observation in self.executor.follow(claim, mark):
                said.append(observation)  # noqa: PERF401 -- seen while it grows

        self.tasks.append(asyncio.create_task(consume()))
        await settle()
        return said

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for executor in self.executors:
            await executor.close()


@pytest.fixture
async def world():
    found = World()
    yield found
    await found.close()
