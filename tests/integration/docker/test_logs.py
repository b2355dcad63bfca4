"""A log as the engine keeps it for a build's container."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.engine import Engine
from jupyterhub_imagebuilder.executors.logs import LogReader
from tests.unit.executors.requests import make_request

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]

LINES = 60_000  # of 1 kB: several times what engines are often told to keep in one file
WRITE = f"for i in range({LINES}): print(i, 'x' * 1000, flush=i % 50 == 0)"


async def test_a_long_log_is_whole_whenever_it_is_read(engine):
    base = f"{os.environ['IB_OPEN_REGISTRY']}/base:1"
    settings = container.ContainerSettings(base, "test", str(engine.socket))
    body = container.build_container(make_request(), settings, "uid")
    command = {
        "Entrypoint": ["python3", "-u", "-c"],
        "Cmd": [f"{WRITE}\nimport time; time.sleep(1)"],
    }
    found = Engine(engine.host)
    over = asyncio.Event()
    with contextlib.closing(engine.client()) as client:
        client.pull(base)
        created = client.create_container_from_config(body | command)["Id"]
        try:
            client.start(created)
            reader = LogReader(
                lambda follow, tail: found.logs(created, follow=follow, tail=tail),
                over,
                SystemClock(),
            )
            await asyncio.to_thread(client.wait, created)
            over.set()
            said = [item async for item in reader.records()]
        finally:
            client.remove_container(created, force=True)
            await found.close()

    assert [int(item.text.split()[0]) for item in said] == list(range(LINES))
