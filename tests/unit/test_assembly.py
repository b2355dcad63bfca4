from __future__ import annotations

import asyncio
import functools
import itertools
from pathlib import Path
from typing import ClassVar

import pytest
from traitlets import Unicode
from traitlets.config import Application, Config, LoggingConfigurable

from jupyterhub_imagebuilder.assembly import Assembly, Plan, StorePlan
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.model import RepoSpec
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


@pytest.fixture
def assembly(tmp_path):
    return functools.partial(make_assembly, tmp_path)


def make_assembly(folder, config=None, clock=None, **changes):
    app = Application(config=Config(config or {}))
    values = {
        "image_prefix": "registry.example.org/team/",
        "executor_class": f"{__name__}.Executor",
        "provider_classes": (f"{__name__}.Provider",),
        "policy": SpecPolicy((), ()),
        "linger": 60.0,
        "limits": QueueLimits(),
        "patience": Patience(),
        "store": StorePlan("", None, folder, 90, 1000),
    }
    return Assembly(Plan(**values | changes), parent=app, clock=clock or FakeClock())


async def test_everything_is_made_started_and_given_back(executors, assembly, tmp_path):
    parts = assembly({"Executor": {"flavour": "salty"}})
    builds = await parts.start(pytest.fail)
    (executor,) = executors
    assert (executor.flavour, executor.started, executor.closed) == ("salty", 1, 0)
    assert parts.build_image == "repo2docker:1"
    assert parts.probes.keys() == {"registry", "executor", "store"}
    await parts.probes["store"]()
    assert (tmp_path / "history.sqlite").stat().st_mode & 0o777 == 0o600
    assert builds.list.__self__ is builds
    await parts.close()
    assert executor.closed == 1


async def test_it_waits_for_kubernetes(executors, assembly):
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
        (
            {},
            {"store": StorePlan("mysql://host/name", None, Path(), 1, 1)},
            "c.ImageBuilder.database_url names mysql",
        ),
    ],
)
async def test_a_mistake_is_a_sentence(executors, assembly, config, changes, words):
    parts = assembly(config, **changes)
    with pytest.raises(ConfigurationError) as caught:
        await parts.start(pytest.fail)
    assert words in caught.value.message
    await parts.close()


async def test_what_nobody_follows_is_looked_for_each_minute(executors, assembly):
    clock = FakeClock()
    parts = assembly(clock=clock)
    builds = await parts.start(pytest.fail)
    looks = []

    async def found():
        looks.append(clock.now())
        if len(looks) == 1:
            raise ExecutorUnavailable("Kubernetes does not answer.")
        return []

    executors[0].found = found
    task = asyncio.create_task(parts.look_around(builds))
    while len(looks) < 3:
        await asyncio.sleep(0)
        await clock.advance(1.0)
    task.cancel()
    assert [after - before for before, after in itertools.pairwise(looks)] == [60.0, 60.0]
    await parts.close()


@pytest.mark.parametrize("prefix", ["team/hub-", "hub-", "registry/team/"])
async def test_without_a_registry_the_executor_has_to_keep_the_images(assembly, prefix):
    parts = assembly(image_prefix=prefix)
    with pytest.raises(ConfigurationError, match="has to begin with the host"):
        await parts.start(pytest.fail)
    await parts.close()


class Images:
    async def check(self):
        pass


class Engine(Executor):
    images = Images()


async def test_an_executor_that_keeps_the_images_needs_no_registry(assembly):
    parts = assembly(image_prefix="imagebuilder/", executor_class=f"{__name__}.Engine")
    await parts.start(pytest.fail)
    assert parts.probes["registry"] == Engine.images.check
    await parts.close()


class PrivateProvider(Provider):
    id = "gl"

    def clone_login(self, repository):
        return f"login of {repository}"


async def test_a_build_has_the_login_of_its_repositorys_provider(executors, assembly):
    classes = (f"{__name__}.Provider", f"{__name__}.PrivateProvider")
    parts = assembly(provider_classes=classes)
    await parts.start(pytest.fail)
    (executor,) = executors
    specs = [RepoSpec(name, "https://x/a", "main", "a/main") for name in ("gl", "git", "gone")]
    assert [executor.login_of(spec) for spec in specs] == ["login of https://x/a", None, None]
    await parts.close()
