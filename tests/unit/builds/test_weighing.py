from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from jupyterhub_imagebuilder.builds.changes import Gone
from jupyterhub_imagebuilder.errors import RegistryUnavailable, StoreUnavailable
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ALICE, BOB
from tests.unit.builds.world import REPO, World, end, settle


class GenerousRegistry(dict):
    """Every image weighs the same."""

    def get(self, digest):
        return 1234


@pytest.fixture
async def world():
    world = World()
    world.store = MemoryStore()
    world.registry.sizes = GenerousRegistry()
    yield world
    for service in world.services:
        await service.stop()


async def built(service, owner=ALICE):
    build = await service.request(REPO, owner)
    await end(build)
    await settle()
    return build


async def test_the_size_of_what_was_built_is_asked_once_and_kept(world):
    build = await built(world.service())
    assert build.size == 1234
    assert (await world.store.get(build.id)).size == 1234
    assert world.registry.weighed == [build.digest]
    again = world.service()
    assert (await again.get(build.id, ALICE)).size == 1234
    assert len(world.registry.weighed) == 1


async def test_what_is_found_weighs_what_was_built_and_costs_no_request(world):
    await built(world.service())
    found = await built(world.service(), BOB)
    assert (found.cached, found.size) == (True, 1234)
    assert len(world.registry.weighed) == 1


async def test_a_registry_that_does_not_answer_is_in_nobodys_way(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    world.registry.size = _raise(RegistryUnavailable("The registry is down."))
    assert (await end(build)).digest == build.digest
    await settle()
    assert build.size is None


async def test_a_fault_is_in_nobodys_way(world, caplog):
    world.registry.size = _raise(RuntimeError("a fault"))
    build = await built(world.service())
    assert build.over
    assert build.size is None
    assert "its size is not known" in caplog.text


async def test_a_size_that_cannot_be_kept_is_told_as_long_as_the_build_is_in_memory(world):
    world.store.weigh = _raise(StoreUnavailable("The database is away."))
    build = await built(world.service())
    assert build.size == 1234
    assert (await world.store.get(build.id)).size is None


async def test_what_made_no_image_has_no_size(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    await service.cancel(build.id, ALICE)
    await settle()
    assert world.registry.weighed == []


async def test_the_end_of_the_service_ends_the_question(world):
    service = world.service()
    build = await service.request(REPO, ALICE)

    async def never(image, digest, platform):
        world.registry.weighed.append(digest)
        await world.never.wait()

    import asyncio

    world.never = asyncio.Event()
    world.registry.size = never
    await end(build)
    await settle()
    assert world.registry.weighed == [build.digest]
    async with asyncio.timeout(5):
        await service.stop()


async def test_what_is_deleted_meanwhile_does_not_come_back(world):
    service = world.service()
    weighed = asyncio.Event()

    async def size(image, digest, platform):
        await weighed.wait()
        return 1234

    world.registry.size = size
    build = await service.request(REPO, ALICE)
    await end(build)
    await settle()
    with service.changes.viewer(ALICE) as viewer:
        await service.forget(build.id, ALICE)
        weighed.set()
        await settle()
        async with aclosing(viewer.changes()) as found:
            assert await anext(found) == Gone(build.id)


def _raise(error):
    async def fail(*args):
        raise error

    return fail
