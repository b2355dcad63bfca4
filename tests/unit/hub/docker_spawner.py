"""Spawners that make containers on an engine in memory, and JupyterHub's part of a start."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from dockerspawner import DockerSpawner
from tornado.web import HTTPError
from traitlets.config import Config

from jupyterhub_imagebuilder.hub.mixing import mixed
from jupyterhub_imagebuilder.hub.shared import HubSide

from .engine import FakeEngine
from .fakes import BUILT, replace
from .test_spawner import Session

ID = "sha256:" + "b" * 64
OTHER_ID = "sha256:" + "c" * 64
BY_ID = replace(BUILT, image="imagebuilder/hello:1", digest=ID)


def engine_with_images():
    engine = FakeEngine()
    engine.add_image(ID, "imagebuilder/hello:1")
    engine.add_image(OTHER_ID, "default/image:1")
    return engine


@asynccontextmanager
async def answering_server():
    """A server that answers, where the containers' ports may lead; gives its port."""

    async def answer(reader, writer):
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        yield running.sockets[0].getsockname()[1]


def spawner_on(
    engine, service, options=None, *, base=DockerSpawner, prefix="imagebuilder/", **config
):
    """A spawner as JupyterHub has it between the form and the start."""
    side = HubSide(lambda base_url: None, lambda: "imagebuilder")
    side.client = service
    c = Config({"ImageBuilder": {"image_prefix": prefix}})
    c.DockerSpawner.image = "default/image:1"
    for name, value in config.items():
        c.DockerSpawner[name] = value
    cls = type("Spawner", mixed(base), {"hub_side": side, "_client": engine})
    user = SimpleNamespace(
        name="alice",
        admin=False,
        groups=[],
        url="/user/alice/",
        settings={"services": {"imagebuilder": object()}},
        db=Session(),
    )
    spawner = cls(
        config=c,
        user=user,
        hub=SimpleNamespace(base_url="/hub/", api_url="http://hub:8081/hub/api"),
        orm_spawner=SimpleNamespace(name="", user_options=options, server=None),
        user_options=options or {},
    )
    spawner._spawn_pending = True
    return spawner


async def decide(spawner):
    """Up to where DockerSpawner takes over: hook and gate."""
    spawner.clear_state()
    await spawner.run_pre_spawn_hook()
    await spawner.load_user_options()
    return spawner.image


async def refusal(spawner):
    with pytest.raises(HTTPError) as caught:
        await decide(spawner)
    assert caught.value.status_code == 400
    return str(caught.value)
