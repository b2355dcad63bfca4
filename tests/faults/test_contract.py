"""The cluster in memory stands for a real one: the executor's contract suite over it."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor
from tests.contract.executors import test_executor as suite
from tests.contract.executors.harness import WHY
from tests.fakes.kubernetes import Cluster, Connection, Program
from tests.fakes.kubernetes.program import BUILD, FETCH, PUSH, PUSHED, PUSHING, said
from tests.fakes.turns import LoopClock, TurnLoop
from tests.unit.executors.requests import make_request

TESTS = [name for name in vars(suite) if name.startswith("test_")]


class Harness:
    """See ``tests/contract/executors/harness.py``; these builds take their course by themselves."""

    pushes = True

    def __init__(self) -> None:
        self.cluster = Cluster(_program)
        self.executor = KubernetesExecutor(
            clock=LoopClock(asyncio.get_running_loop()), api=Connection(self.cluster)
        )

    def request(self, repository: str) -> BuildRequest:
        return make_request(f"git://example.org/{repository}")

    async def play(self, claim: Claim) -> None:
        pass


def _program(pod):
    name = pod["metadata"]["name"]
    if "broken" in name:
        return Program(steps=(FETCH, BUILD, said(f"ERROR: {WHY}")), code=1)
    wait = 30.0 if "slow" in name else 1.0
    return Program(steps=(FETCH, BUILD, wait, PUSHING, wait, PUSH, PUSHED))


@pytest.mark.parametrize("name", TESTS)
def test_contract(name):
    async def play():
        harness = Harness()
        await harness.executor.start()
        await getattr(suite, name)(harness)
        await harness.executor.close()
        await harness.cluster.close()

    with asyncio.Runner(loop_factory=TurnLoop) as runner:
        runner.run(play())


def test_the_suite_is_there():
    assert len(TESTS) >= 10
    assert all(inspect.iscoroutinefunction(getattr(suite, name)) for name in TESTS)
