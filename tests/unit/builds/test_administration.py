from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import AccessDenied, BuildNotFound, ImageUnknown, Reason
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB
from tests.unit.builds.world import NEWER, REPO, World, end, settle


@pytest.fixture(params=["with a store", "without"])
async def world(request):
    world = World()
    world.store = MemoryStore() if request.param == "with a store" else None
    yield world
    for service in world.services:
        await service.stop()


async def built(service, text=REPO, owner=ALICE):
    build = await service.request(text, owner)
    await end(build)
    await settle()
    return build


async def test_a_published_image_is_everybodys(world):
    service = world.service()
    build = await built(service)
    with pytest.raises(ImageUnknown):
        await service.vouch(build.image, BOB)
    await service.administration.publish(build.id, ADMIN, published=True)
    assert await service.vouch(build.image, BOB) == build.image
    assert await service.list(BOB, 9) == [build]
    with pytest.raises(AccessDenied, match="published"):
        await service.forget(build.id, ALICE)
    await service.forget(build.id, ADMIN)
    assert await service.list(BOB, 9) == []


async def test_a_published_repository_is_familiar(world):
    service = world.service()
    build = await built(service)
    world.provider.commits[REPO, "newer"] = NEWER
    assert (await service.look(f"{REPO}@newer", ALICE)).familiar
    assert not (await service.look(f"{REPO}@newer", BOB)).familiar
    assert not (await service.look(f"{REPO}@newer", ADMIN)).familiar
    await service.administration.publish(build.id, ADMIN, published=True)
    assert (await service.look(f"{REPO}@newer", BOB)).familiar
    world.provider.commits[f"{REPO}-2", "HEAD"] = NEWER
    assert not (await service.look(f"{REPO}-2", BOB)).familiar


async def test_what_failed_is_not_familiar(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    await service.cancel(build.id, ALICE)
    assert not (await service.look(REPO, ALICE)).familiar


async def test_an_admin_sees_and_ends_the_builds_of_all(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    assert await service.list(ADMIN, 9) == [build]
    assert await service.cancel(build.id, ADMIN) is build
    assert (build.phase, build.message) == ("cancelled", "root stopped this build.")


async def test_figures(world):
    world.registry.sizes = _Same()
    service = world.service()
    await built(service)
    await built(service, owner=BOB)
    world.registry.prepare = _fail
    for name in "ab":
        world.provider.commits[f"{REPO}-{name}", "HEAD"] = name * 40
        await built(service, f"{REPO}-{name}")
        world.clock.time += 100
    found = await service.administration.overview(ADMIN)
    (failures,) = found.figures.failures
    assert (failures.reason, failures.count) == (Reason.REGISTRY_UNAVAILABLE, 2)
    assert failures.last > found.since == world.clock.time - 7 * 86400
    assert (found.figures.images, found.figures.size) == (1, 5)
    world.clock.time += 8 * 86400
    assert (await service.administration.overview(ADMIN)).figures.failures == ()
    with pytest.raises(AccessDenied):
        await service.administration.overview(ALICE)


class _Same(dict):
    def get(self, digest):
        return 5


async def _fail(image):
    from jupyterhub_imagebuilder.errors import RegistryUnavailable

    raise RegistryUnavailable("The registry is down.")


@pytest.mark.parametrize("world", ["with a store"], indirect=True)
async def test_what_is_deleted_while_it_is_published_is_gone(world):
    service = world.service()
    build = await built(service)
    publish = world.store.publish

    async def late(build_id, *, published):
        await service.forget(build_id, ALICE)
        await publish(build_id, published=published)

    world.store.publish = late
    with pytest.raises(BuildNotFound):
        await service.administration.publish(build.id, ADMIN, published=True)
    assert await service.list(BOB, 9) == []
