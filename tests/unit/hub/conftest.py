"""DockerSpawner on an engine in memory; the modules about other spawners have their own."""

from __future__ import annotations

from functools import partial

import pytest

from .docker_spawner import BY_ID, answering_server, engine_with_images, spawner_on
from .fakes import FakeService


@pytest.fixture
def service():
    return FakeService(answers=[BY_ID])


@pytest.fixture
def engine():
    return engine_with_images()


@pytest.fixture
async def server():
    async with answering_server() as port:
        yield port


@pytest.fixture
def make(service, engine, monkeypatch):
    # of JupyterHub's environment only what DockerSpawner adds matters here
    monkeypatch.setattr("jupyterhub.spawner.Spawner.get_env", lambda self: {})
    return partial(spawner_on, engine, service)
