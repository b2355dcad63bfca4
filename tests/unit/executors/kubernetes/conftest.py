from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor

from .clock import ManualClock, settle
from .fake_api import FakeKubernetes


class World:
    """An executor over a Kubernetes in memory, and what its builds have said so far."""

    def __init__(self):
        self.clock = ManualClock()
        self.api = FakeKubernetes()
        self.executors = []
        self.tasks = []
        self.executor = self.new_executor()

    def new_executor(self, **settings):
        found = KubernetesExecutor(clock=self.clock, api=self.api, **settings)
        self.executors.append(found)
        return found

    def follow(self, claim, mark=None):
        """Observations of a build, in a list that grows."""
        said = []

        async def consume():
            async for observation in self.executor.follow(claim, mark):
                said.append(observation)  # noqa: PERF401 -- seen while it grows

        self.tasks.append(asyncio.create_task(consume()))
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
    await found.executor.start()
    await settle()
    yield found
    await found.close()
