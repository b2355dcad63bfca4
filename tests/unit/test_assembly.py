from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from traitlets import Unicode
from traitlets.config import Application, Config, LoggingConfigurable

from jupyterhub_imagebuilder.assembly import Assembly, Plan
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import ExecutorUnavailable
from tests.unit.web.support import FakeClock

# the first use imports aiohttp and the registry's client
pytestmark = pytest.mark.timeout(20)


class Executor(LoggingConfigurable):
    flavour = Unicode("plain").tag(config=True)

    build_image = "repo2docker:1"
    build_settings: ClassVar = {}
    platform = "linux/amd64"
    push_secret = "push"
    push_secret_key = "key"
    made: ClassVar = []
    failures = 0

    def __init__(self, *, clock, **kwargs):
        super().__init__(**kwargs)
        self.started = self.closed = 0
        self.made.append(self)

    async def start(self):
        self.started += 1
        if self.started <= self.failures:
            raise ExecutorUnavailable("Kubernetes does not answer.")

    async def close(self):
        self.closed += 1

    async def read_secret(self, name, key):
        return b"{}"

    async def found(self):
        return []

    async def check(self):
        pass


class Provider(LoggingConfigurable):
    id = "git"


@pytest.fixture
def executors():
    Executor.made, Executor.failures = [], 0
    return Executor.made


def assembly(config=None, clock=None, **changes):
    app = Application(config=Config(config or {}))
    values = {
        "image_prefix": "registry.example.org/team/",
        "executor_class": f"{__name__}.Executor",
        "provider_classes": (f"{__name__}.Provider",),
        "policy": SpecPolicy((), ()),
        "linger": 60.0,
        "limits": QueueLimits(),
        "patience": Patience(),
    }
    return Assembly(Plan(**values | changes), parent=app, clock=clock or FakeClock())


async def test_everything_is_made_started_and_given_back(executors):
    parts = assembly({"Executor": {"flavour": "salty"}})
    builds = await parts.start(pytest.fail)
    (executor,) = executors
    assert (executor.flavour, executor.started, executor.closed) == ("salty", 1, 0)
    assert parts.build_image == "repo2docker:1"
    assert parts.probes.keys() == {"registry", "executor"}
    assert builds.list.__self__ is builds
    await parts.close()
    assert executor.closed == 1


async def test_it_waits_for_kubernetes(executors):
    Executor.failures = 3
    clock, delays = FakeClock(), []
    parts = assembly(clock=clock)
    start = asyncio.create_task(parts.start(delays.append))
    while not start.done():
        await asyncio.sleep(0.001)
        await clock.advance(1.0)
    assert delays == ["Kubernetes does not answer."] * 3
    assert executors[0].started == 4
    assert clock.now() - 1000.0 >= 1 + 2 + 4
    await start
    await parts.close()


@pytest.mark.parametrize(
    ("config", "changes", "words"),
    [
        ({"Executor": {"flavor": "x"}}, {}, "c.Executor.flavor; did you mean flavour"),
        ({"Executer": {"flavour": "x"}}, {}, "c.Executer; did you mean Executor"),
        ({"Executor": {"flavour": 7}}, {}, "flavour"),
        ({"DistributionRegistry": {"insecur": True}}, {}, "did you mean insecure"),
        ({}, {"executor_class": "absent.Executor"}, "c.ImageBuilder.executor_class names"),
        ({}, {"provider_classes": ("absent.P",)}, "c.ImageBuilder.provider_classes names"),
    ],
)
async def test_a_mistake_is_a_sentence(executors, config, changes, words):
    parts = assembly(config, **changes)
    with pytest.raises(ConfigurationError) as caught:
        await parts.start(pytest.fail)
    assert words in caught.value.message
    await parts.close()
