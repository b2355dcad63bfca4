from __future__ import annotations

import asyncio
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds import outlook
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.queue import QueueLimits, Usage
from jupyterhub_imagebuilder.errors import (
    RefNotFound,
    RegistryUnavailable,
    SpecForbidden,
    SpecInvalid,
    StoreUnavailable,
)
from tests.contract.store import samples
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB, COMMIT
from tests.unit.builds.world import NEWER, REPO, World, end, settle


@pytest.fixture
async def world():
    world = World(limits=QueueLimits(running=1, per_user=2, waiting=1))
    world.store = MemoryStore()
    world.executor.manual = True
    yield world
    for service in world.services:
        await service.stop()


async def test_an_image_that_is_not_there(world):
    service = world.service()
    found = await service.look(f"{REPO}@main", ALICE)
    assert found.resolved.commit == COMMIT
    assert (found.digest, found.under_way, found.build, found.seconds) == (None, False, None, None)
    assert found.image.registry == "registry.example.org"
    assert "has to be built" in found.why
    assert found.limits.allowed.running == 1
    assert found.limits.used == Usage(0, 0, 0, 0, 0)


async def test_looking_leaves_no_trace(world):
    service = world.service()
    for _ in range(3):
        await service.look(REPO, ALICE)
    await settle()
    assert world.executor.created == []
    assert world.store.records == {}
    assert await service.list(ADMIN, 9) == []


async def test_it_says_the_image_that_a_request_gets(world):
    service = world.service()
    seen = await service.look(REPO, ALICE)
    world.registry.images[seen.image] = "sha256:there"
    found = await service.look(REPO, ALICE)
    assert (found.digest, found.why.split(";")[0]) == (
        "sha256:there",
        "The image of this commit was built before",
    )
    assert (await service.request(REPO, ALICE)).digest == "sha256:there"


async def test_a_build_under_way_is_shown_to_those_who_may_see_it(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    for viewer, visible in ((ALICE, build), (BOB, None), (ADMIN, build)):
        found = await service.look(REPO, viewer)
        assert (found.under_way, found.build) == (True, visible)
        assert "joins it" in found.why
    assert not build.visible_to(BOB)


async def test_the_limits_count_what_is(world):
    service = world.service()
    other = "https://git.example.org/org/other"
    world.provider.commits |= {(other, "HEAD"): NEWER, (REPO, "dev"): NEWER}
    await service.request(REPO, ALICE)
    await service.request(other, ALICE)
    found = await service.look(f"{REPO}@dev", ALICE)
    assert found.limits.used == Usage(1, 1, 1, 1, 1)
    assert found.is_full
    assert "takes no build" in found.why
    assert service.limits(BOB).used == Usage(1, 1, 0, 0, None)


async def test_what_would_be_refused_is_refused(world):
    world.policy = SpecPolicy(banned=["https://git.example.org/org/evil"])
    service = world.service()
    with pytest.raises(SpecInvalid):
        await service.look("hello world", ALICE)
    with pytest.raises(SpecInvalid):
        await service.look(REPO, ALICE, "abc")
    with pytest.raises(SpecForbidden):
        await service.look("https://git.example.org/org/evil", ALICE)
    with pytest.raises(RefNotFound):
        await service.look(f"{REPO}@absent", ALICE)
    world.registry.down = RegistryUnavailable("The registry does not answer.")
    with pytest.raises(RegistryUnavailable):
        await service.look(REPO, ALICE)


async def test_how_long_it_takes_is_what_it_took(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await settle()
    pod = world.executor.build(build.request.name)
    pod.line("Cloning into", Phase.FETCHING)
    await settle()
    began = build.entered[Phase.FETCHING]
    world.clock.time = began + 90
    pod.end()
    await end(build)
    await settle()
    assert (await service.look(REPO, ALICE)).seconds == pytest.approx(90, abs=1)


def ended(number, began, finished):
    entered = ((Phase.WAITING, 0.0), (Phase.BUILDING, began), (Phase.BUILT, finished))
    return samples.built(number, entered=entered, finished=finished)


async def test_the_middle_of_the_last_builds_counts_and_waiting_does_not():
    store = MemoryStore()
    repository = samples.record().request.spec.repository
    assert await outlook.expected(store, repository) is None
    for number, seconds in enumerate((10.0, 5000.0, 20.0)):
        await store.save(ended(number, 500.0, 500.0 + seconds))
    # nobody saw when it began
    await store.save(dataclasses.replace(ended(9, 1.0, 2.0), entered=()))
    assert await outlook.expected(store, repository) == 20.0


async def test_nobody_knows_without_a_store_or_while_it_is_away():
    assert await outlook.expected(None, REPO) is None
    store = MemoryStore()
    store.unavailable = StoreUnavailable("The database does not answer.")
    assert await outlook.expected(store, REPO) is None


async def test_a_database_that_is_silent_keeps_no_form_waiting(monkeypatch):
    monkeypatch.setattr(outlook, "_PATIENCE", 0.01)

    async def silent(*_):
        await asyncio.Event().wait()

    world = World()
    world.store = MemoryStore()
    service = world.service()
    world.store.built = world.store.familiar = world.store.wanted = silent
    async with asyncio.timeout(5):
        found = await service.look(REPO, ALICE)
        assert (found.seconds, found.familiar) == (None, False)
        assert await service.suggestions.recent(ALICE) == []
    await service.stop()
