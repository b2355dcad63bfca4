"""Engines that are reached otherwise, or start again: builds do not notice."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.ports import Ended
from tests.contract.executors.engine import DockerHarness

from .test_faults import observe, texts

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture
async def port(engine):
    """The engine on a port of 127.0.0.1."""

    # the loop is the test's: what blocks must not go this way
    async def pass_on(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader, writer):
        there = await asyncio.open_unix_connection(str(engine.socket))
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        server.close()


async def test_an_engine_on_a_port_builds(engine, repository, port):
    harness = DockerHarness(
        host=engine.host,
        docker_host=f"tcp://127.0.0.1:{port}",
        engine_socket=str(engine.socket),
    )
    async with harness.running():
        request = harness.request(repository("echo done"))
        claim = await harness.executor.claim(request)

        said = await observe(harness.executor, claim)

        assert said[-1] == Ended(None)
        assert "done" in texts(said)
        assert await harness.executor.images.digest(request.image)


async def test_docker_host_names_the_engine_and_its_socket(engine, repository, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    harness = DockerHarness(host=engine.host, docker_host="")
    async with harness.running():
        claim = await harness.executor.claim(harness.request(repository("echo done")))

        assert (await observe(harness.executor, claim))[-1] == Ended(None)


async def test_an_engine_that_starts_again_between_builds_is_met_anew(harness, engine, repository):
    first = await harness.executor.claim(harness.request(repository("echo done")))
    assert (await observe(harness.executor, first))[-1] == Ended(None)
    await harness.executor.remove(first)

    await asyncio.to_thread(engine.stop)
    await asyncio.to_thread(engine.start)

    claim = await harness.executor.claim(harness.request(repository("echo done")))
    assert (await observe(harness.executor, claim))[-1] == Ended(None)


async def test_the_log_is_the_containers_own_whatever_the_engine_prefers(
    harness, engine, repository
):
    with contextlib.closing(engine.client()) as client:
        assert client.info()["LoggingDriver"] == "none"  # nothing could be read of a container
    claim = await harness.executor.claim(harness.request(repository("echo done")))

    said = await observe(harness.executor, claim)

    assert any(isinstance(item, LogLine) for item in said)
