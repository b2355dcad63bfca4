"""What can happen to a build on one machine, on a real engine: each ends with its reason, soon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.ports import Checkpoint, Claim, ClaimState, Ended
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ExecutorUnavailable,
    Reason,
    RegistryUnavailable,
)
from jupyterhub_imagebuilder.executors.docker import container
from tests.contract.executors.engine import DockerHarness

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(300)]

FEW = "for i in $(seq 1 20); do echo TICK $i; sleep 0.25; done"
TICKS = "for i in $(seq 1 60); do echo TICK $i; sleep 0.25; done"


async def observe(executor, claim, *, until=None, then=None):
    """Everything that a build says; ``then`` happens once, behind the line with ``until``."""
    said = []
    async with asyncio.timeout(120):
        async for item in executor.follow(claim):
            said.append(item)
            if until and isinstance(item, LogLine) and until in item.text:
                until = None
                await asyncio.to_thread(then)
    return said


def container_of(harness, claim):
    with contextlib.closing(harness.client()) as client:
        (found,) = client.containers(all=True, filters={"label": f"{container.UID}={claim.uid}"})
    return found["Id"]


def reason(said):
    assert isinstance(said[-1], Ended)
    assert said[-1].error is not None
    return said[-1].error.reason


async def failure(harness, name):
    """How a build fails, be it at once or at its end."""
    try:
        claim = await harness.executor.claim(harness.request(name))
    except BuildFailed as error:
        return error
    return (await observe(harness.executor, claim))[-1].error


def texts(said):
    return "\n".join(item.text for item in said if isinstance(item, LogLine))


async def test_the_image_that_builds_is_pulled_where_it_is_missing(harness, engine, repository):
    with contextlib.closing(engine.client()) as client, contextlib.suppress(Exception):
        client.remove_image(harness.settings["build_image"], force=True)
    request = harness.request(repository("echo done"))

    claim = await harness.executor.claim(request)
    found = await harness.executor.found()
    again = await harness.executor.claim(request)
    said = await observe(harness.executor, claim)

    assert (claim.state, [item.uid for item in found]) == (ClaimState.CREATED, [claim.uid])
    assert (again.state, again.uid) == (ClaimState.RUNNING, claim.uid)
    news = [item.message for item in said if isinstance(item, PhaseChanged)]
    assert any("Pulling the image that builds" in message for message in news)
    assert said[-1] == Ended(None)
    assert (await harness.executor.images.digest(request.image)).startswith("sha256:")


async def test_an_image_that_is_removed_is_missing_and_is_built_again(harness, engine, repository):
    request = harness.request(repository("echo done"))
    images = harness.executor.images
    first = await harness.executor.claim(request)
    assert (await observe(harness.executor, first))[-1] == Ended(None)
    assert await images.digest(request.image) is not None

    with contextlib.closing(engine.client()) as client:
        client.remove_image(str(request.image))
    assert await images.digest(request.image) is None

    await harness.executor.remove(first)
    second = await harness.executor.claim(request)
    assert second.state is ClaimState.CREATED
    assert (await observe(harness.executor, second))[-1] == Ended(None)
    assert await images.digest(request.image) is not None


async def test_an_engine_that_is_away_is_no_answer(repository):
    harness = DockerHarness(host="unix:///nowhere/engine.sock")
    request = harness.request(repository("true"))

    for asked in (
        harness.executor.claim(request),
        harness.executor.found(),
        harness.executor.check(),
    ):
        with pytest.raises(ExecutorUnavailable) as raised:
            await asked
        assert raised.value.reason is Reason.ENGINE_UNAVAILABLE
    for asked in (harness.executor.images.digest(request.image), harness.executor.images.check()):
        with pytest.raises(RegistryUnavailable):
            await asked
    await harness.executor.close()


@pytest.mark.parametrize(
    ("settings", "expected", "words"),
    [
        ({"build_image": "{registry}/nope:1", "pull_grace": 0}, Reason.IMAGE_PULL, "nope:1"),
        ({"engine_socket": "/nowhere/engine.sock"}, Reason.MOUNT_FAILED, "/nowhere/engine.sock"),
        ({"push_config_file": "/nowhere/config.json"}, Reason.MOUNT_FAILED, "push_config_file"),
        ({"network": "no-such-network"}, Reason.EXECUTOR_LOST, "no-such-network"),
        ({"memory_limit": 8_000_000}, Reason.OUT_OF_MEMORY, "memory"),
        ({"deadline": 3}, Reason.TIMEOUT, "longer than it may"),
        ({"silence": 2}, Reason.TIMEOUT, "printed nothing"),
    ],
)
async def test_trouble_ends_with_its_reason(engine, repository, settings, expected, words):
    settings = {
        name: value.format(registry=os.environ["IB_OPEN_REGISTRY"])
        if isinstance(value, str)
        else value
        for name, value in settings.items()
    }
    harness = DockerHarness(host=engine.host, **settings)
    step = "sleep 30" if "silence" in settings else TICKS
    async with harness.running():
        error = await failure(harness, repository(step))

    assert (error.reason, words in error.message) == (expected, True), error.message


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("sh -c 'kill -9 $$'; exit $?", Reason.OUT_OF_MEMORY),
        ("echo no-such-thing >&2; exit 3", Reason.BUILD_FAILED),
    ],
)
async def test_a_step_that_fails_says_why(harness, repository, step, expected):
    claim = await harness.executor.claim(harness.request(repository(step)))

    assert reason(await observe(harness.executor, claim)) is expected


@pytest.mark.parametrize("how", ["kill", "remove"])
async def test_a_container_that_someone_ends_is_lost_within_seconds(harness, repository, how):
    claim = await harness.executor.claim(harness.request(repository(TICKS)))
    ended = []

    def end():
        with contextlib.closing(harness.client()) as client:
            if how == "kill":
                client.kill(container_of(harness, claim))
            else:
                client.remove_container(container_of(harness, claim), force=True)
        ended.append(time.monotonic())

    said = await observe(harness.executor, claim, until="TICK 4", then=end)

    assert reason(said) is Reason.EXECUTOR_LOST
    assert time.monotonic() - ended[0] < 10


async def test_a_cancelled_build_ends_in_the_engine_too(harness, engine, repository):
    request = harness.request(repository(FEW))
    claim = await harness.executor.claim(request)
    async with contextlib.aclosing(harness.executor.follow(claim)) as looking:
        async for item in looking:
            if isinstance(item, LogLine) and "TICK 4" in item.text:
                break

    await harness.executor.remove(claim)

    assert await harness.executor.found() == []
    await asyncio.sleep(6)  # longer than the rest of the build
    assert await harness.executor.images.digest(request.image) is None


async def test_a_full_disk_is_named(harness, engine, repository):
    fill = "dd if=/dev/zero of=/opt/fill bs=1M count=400"
    claim = await harness.executor.claim(harness.request(repository("true")))
    assert (await observe(harness.executor, claim))[-1] == Ended(None)  # everything is pulled
    filler = engine.fill(left=100 << 20)
    try:
        claim = await harness.executor.claim(harness.request(repository(fill)))
        assert reason(await observe(harness.executor, claim)) is Reason.DISK_FULL
    finally:
        filler.unlink()


async def test_a_disk_without_any_room_is_named(harness, engine, repository):
    filler = engine.fill(left=0)
    try:
        error = await failure(harness, repository("true"))
        assert error.reason is Reason.DISK_FULL, error.message
    finally:
        filler.unlink()


@pytest.mark.parametrize("back", [True, False])
async def test_an_engine_that_dies_in_mid_build(engine, repository, back):
    harness = DockerHarness(host=engine.host, engine_wait=60 if back else 3)
    async with harness.running():
        claim = await harness.executor.claim(harness.request(repository(TICKS)))

        def crash():
            engine.kill()
            if back:
                engine.start()

        began = time.monotonic()
        try:
            said = await observe(harness.executor, claim, until="TICK 4", then=crash)
        finally:
            if not back:
                engine.start()
        assert reason(said) is Reason.ENGINE_UNAVAILABLE, said[-1]
        assert time.monotonic() - began < 60
        again = await harness.executor.claim(harness.request(repository("true")))
        assert (await observe(harness.executor, again))[-1] == Ended(None)


async def test_a_service_that_starts_again_goes_on_where_it_was(harness, repository):
    claim = await harness.executor.claim(harness.request(repository(FEW)))
    told, mark = [], None
    async with contextlib.aclosing(harness.executor.follow(claim)) as looking:
        async for item in looking:
            if isinstance(item, LogLine):
                told.append(item)
            if isinstance(item, Checkpoint):
                mark = item.mark
                if "TICK 9" in told[-1].text:
                    break
    await harness.executor.close()
    harness.executor = harness.new_executor()

    (found,) = await harness.executor.found()
    rest = [item async for item in harness.executor.follow(found, mark)]

    assert found == Claim(claim.request, claim.uid, ClaimState.RUNNING)
    assert rest[-1] == Ended(None)
    lines = [*told, *(item for item in rest if isinstance(item, LogLine))]
    assert [line.index for line in lines] == list(range(len(lines)))
    assert texts(lines).count("TICK") == texts(await observe(harness.executor, found)).count("TICK")


async def test_a_container_that_was_never_started_is_started(harness, repository):
    request = harness.request(repository("echo done"))
    claim = Claim(request, "0123456789abcdef", ClaimState.CREATED)
    order = harness.executor._order(claim)
    await harness.executor._engine.create(request.name, order.body)

    (found,) = await harness.executor.found()
    again = await harness.executor.claim(request)

    assert found.uid == again.uid == claim.uid
    assert (await observe(harness.executor, found))[-1] == Ended(None)


async def test_lines_of_any_length_are_whole(harness, repository):
    step = "python3 -c \"print('a' * 50000 + 'b' * 50000 + 'end'); print('z' * 16384)\""
    claim = await harness.executor.claim(harness.request(repository(step)))

    said = await observe(harness.executor, claim)

    assert said[-1] == Ended(None)
    found = texts(said)
    assert "a" * 50000 + "b" * 50000 + "end" in found.replace("\n", "")
    assert "Z " not in found
