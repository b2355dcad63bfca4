"""The registry is down, refuses, has something else; an image is one only when it says so."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import (
    Reason,
    RegistryDenied,
    RegistryUnavailable,
)
from tests.fakes.kubernetes.program import GOOD, Program

from .scenario import scenario

DOWN = RegistryUnavailable("The registry answers with 503.")
DENIED = RegistryDenied("The registry refuses our credentials.")


@pytest.mark.parametrize("error", [DOWN, DENIED])
@scenario
async def test_a_registry_that_cannot_say_whether_there_is_an_image(world, error):
    world.registry.down = error
    with pytest.raises(type(error)):
        await world.ask()
    assert world.cluster.created == []


@scenario
async def test_a_registry_that_is_down_when_the_push_ends(world):
    viewer = await world.watch()
    await world.until_running()
    world.registry.down = DOWN
    await asyncio.sleep(15)
    world.registry.down = None
    await world.built(viewer)


@scenario
async def test_a_registry_that_stays_down(world):
    viewer = await world.watch()
    await world.until_running()
    world.registry.down = DOWN
    await world.failed(viewer, Reason.REGISTRY_UNAVAILABLE, within=60)
    world.registry.down = None
    # it was built all the same: nothing is built again
    await world.built(await world.watch())


@scenario
async def test_a_registry_that_refuses_to_say_what_was_pushed(world):
    viewer = await world.watch()
    await world.until_running()
    world.registry.down = DENIED
    await world.failed(viewer, Reason.REGISTRY_DENIED, within=60)


@scenario
async def test_a_pod_that_succeeded_without_an_image(world):
    world.cluster.program = lambda _: Program(steps=[s for s in GOOD.steps if s != GOOD.steps[-2]])
    await world.failed(await world.watch(), Reason.PUSH_FAILED, within=60)


@pytest.mark.parametrize("lag", [5.0, 25.0])
@scenario
async def test_an_image_that_can_be_read_late(world, lag):
    world.lag = lag
    await world.built(await world.watch())


@scenario
async def test_an_image_that_is_there_is_not_built(world):
    await world.built(await world.watch())
    await asyncio.sleep(200)
    viewer = await world.watch(owner="bob")
    await world.built(viewer, within=1)
    assert len(world.cluster.created) == 1
