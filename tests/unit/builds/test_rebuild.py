from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import Pushed
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildFailed,
    BuildNotFound,
    BuildUnderWay,
    ImageUnknown,
    QuotaExceeded,
    Reason,
    SpecForbidden,
    StoreUnavailable,
)
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB
from tests.unit.builds.world import REPO, LongWaits, World, end, settle

OLD, NEW = "sha256:old", "sha256:new"


@pytest.fixture
async def world():
    world = World()
    world.clock = LongWaits()
    world.store = MemoryStore()
    world.executor.manual = True
    yield world
    for service in world.services:
        await service.stop()


@pytest.fixture
async def service(world):
    return world.service()


@pytest.fixture
async def old(world, service):
    """A build that is over, its image in the registry, its pod gone or not."""
    build = await service.request(REPO, ALICE)
    await settle()
    world.executor.unpushed.add(pod(world, build).uid)
    world.registry.images[build.request.image] = OLD
    pod(world, build).end()
    await end(build)
    assert build.digest == OLD
    return build


def pod(world, build):
    return world.executor.build(build.request.name)


async def finish(world, build, digest=NEW):
    """The pod pushes an image and ends well."""
    its = pod(world, build)
    world.executor.unpushed.add(its.uid)
    world.registry.images[build.request.image] = digest
    its.end()
    return await end(build)


class TestRebuild:
    async def test_it_is_built_although_the_image_is_there(self, world, service, old):
        build = await service.rebuild(old.id, ALICE)
        await settle()
        assert (build.over, build.request.image) == (False, old.request.image)
        assert build.request.resolved == old.request.resolved
        last = await finish(world, build)
        assert (last.phase, last.digest, build.cached) == (Phase.BUILT, NEW, False)
        assert [request.id for request in world.executor.created] == [old.id, build.id]
        assert (await service.request(REPO, BOB)).digest == NEW
        assert old.digest == OLD

    async def test_the_old_digest_is_never_taken_for_the_new_one(self, world, service, old):
        build = await service.rebuild(old.id, ALICE)
        await settle()
        pod(world, build).say(Pushed())
        await settle()
        assert not build.over
        assert (await finish(world, build)).digest == NEW

    async def test_the_pod_of_the_earlier_build_is_not_taken_for_its_own(self, world):
        """A build ends with its push, its pod a moment later; both may be met."""
        world.settings["linger"] = 7200.0
        service = world.service()
        old = await service.request(REPO, ALICE)
        await settle()
        world.registry.images[old.request.image] = OLD
        pod(world, old).say(Pushed())
        await settle()
        assert old.over
        build = await service.rebuild(old.id, ALICE)
        await settle()
        assert [request.id for request in world.executor.created] == [old.id, build.id]
        assert (await finish(world, build)).digest == NEW
        # now the pod is over, and still there
        third = await service.rebuild(old.id, ALICE)
        await settle()
        assert not third.over
        assert len(world.executor.created) == 3

    async def test_one_that_fails_is_no_success_although_there_is_an_image(
        self, world, service, old
    ):
        build = await service.rebuild(old.id, ALICE)
        await settle()
        pod(world, build).end(BuildFailed("pip failed", Reason.BUILD_FAILED))
        assert (await end(build)).reason is Reason.BUILD_FAILED

    async def test_a_pod_that_is_lost_is_no_success_either(self, world, service, old):
        build = await service.rebuild(old.id, ALICE)
        await settle()
        pod(world, build).say(Pushed())
        pod(world, build).vanish()
        assert (await end(build)).reason is Reason.EXECUTOR_LOST

    async def test_the_image_that_is_there_does_for_others_meanwhile(self, world, service, old):
        build = await service.rebuild(old.id, ALICE)
        other = await service.request(REPO, BOB)
        assert (other.over, other.digest) == (True, OLD)
        del world.registry.images[build.request.image]
        assert await service.request(REPO, BOB) is build

    async def test_who_asks_again_joins(self, world, service, old):
        first, second = await asyncio.gather(
            service.rebuild(old.id, ALICE), service.rebuild(old.id, ADMIN)
        )
        assert first is second
        assert first.visible_to(ADMIN)

    async def test_a_build_under_way_is_joined(self, world, service):
        build = await service.request(REPO, ALICE)
        assert await service.rebuild(build.id, ALICE) is build

    async def test_it_waits_for_its_turn_and_does_not_take_the_old_image_then(self, world):
        world.settings["limits"] = QueueLimits(running=1, waiting=1)
        service = world.service()
        old = await service.request(REPO, ALICE)
        await settle()
        await finish(world, old, OLD)
        other = "https://git.example.org/org/other"
        world.provider.commits[other, "HEAD"] = "a" * 40
        running = await service.request(other, BOB)
        build = await service.rebuild(old.id, ALICE)
        third = "https://git.example.org/org/third"
        world.provider.commits[third, "HEAD"] = "b" * 40
        with pytest.raises(QuotaExceeded):
            await service.request(third, BOB)
        world.clock.time += 600
        await settle()
        await finish(world, running)
        await settle()
        assert not build.over
        assert (await finish(world, build)).digest == NEW

    async def test_a_later_process_knows_that_it_is_a_rebuild(self, world, service, old):
        build = await service.rebuild(old.id, ALICE)
        await settle()
        await service.stop()
        later = world.service()
        await later.take_up()
        await settle()
        taken = await later.get(build.id, ALICE)
        pod(world, build).say(Pushed())
        await settle()
        assert not taken.over
        assert (await finish(world, taken)).digest == NEW

    async def test_a_later_process_does_not_take_the_pod_of_the_earlier_build_for_its_own(
        self, world
    ):
        world.settings["linger"] = 7200.0
        service = world.service()
        old = await service.request(REPO, ALICE)
        await settle()
        await finish(world, old, OLD)
        await settle()
        world.executor.admit.clear()
        build = await service.rebuild(old.id, ALICE)
        await settle()
        await service.stop()
        world.executor.admit.set()
        later = world.service()
        await later.take_up()
        await settle()
        taken = await later.get(build.id, ALICE)
        assert not taken.over
        assert (await finish(world, taken)).digest == NEW
        assert [request.id for request in world.executor.created] == [old.id, build.id]

    async def test_its_own_pod_that_is_over_when_it_is_met_is_not_built_again(
        self, world, service, old
    ):
        world.executor.admit.clear()
        build = await service.rebuild(old.id, ALICE)
        await settle()
        # the answer to the claim was lost: the pod is there, and over, when it is asked again
        await world.executor.remove(world.executor.removed[-1])
        its = world.executor.put(build.request)
        world.executor.unpushed.add(its.uid)
        world.registry.images[build.request.image] = NEW
        its.end()
        world.executor.admit.set()
        assert (await end(build)).digest == NEW
        assert len(world.executor.created) == 1

    async def test_who_may(self, world, service, old):
        with pytest.raises(BuildNotFound):
            await service.rebuild(old.id, BOB)
        await service.request(REPO, BOB)
        with pytest.raises(AccessDenied, match="built again"):
            await service.rebuild(old.id, BOB)
        world.policy = SpecPolicy(banned=[REPO])
        stricter = world.service()
        with pytest.raises(SpecForbidden):
            await stricter.rebuild(old.id, ADMIN)
        assert len(world.executor.created) == 1


class TestForget:
    async def test_it_is_gone_here_and_in_the_store(self, world, service, old):
        await service.forget(old.id, ALICE)
        for viewer in (ALICE, ADMIN):
            with pytest.raises(BuildNotFound):
                await service.get(old.id, viewer)
        assert await service.list(ADMIN, 9) == []
        assert world.store.records == {}
        with pytest.raises(ImageUnknown):
            await service.vouch(old.image, ALICE)

    async def test_the_image_stays(self, world, service, old):
        await service.forget(old.id, ALICE)
        again = await service.request(REPO, ALICE)
        assert (again.digest, again.cached) == (OLD, True)
        assert again.id != old.id

    async def test_one_of_an_earlier_process(self, world, old):
        later = world.service()
        await later.forget(old.id, ADMIN)
        assert world.store.records == {}

    async def test_one_without_a_store(self):
        world = World()
        service = world.service()
        build = await service.request(REPO, ALICE)
        await end(build)
        await settle()
        await service.forget(build.id, ALICE)
        assert await service.list(ALICE, 9) == []
        await service.stop()

    async def test_not_while_it_is_under_way(self, world, service):
        build = await service.request(REPO, ALICE)
        with pytest.raises(BuildUnderWay, match="cancel it"):
            await service.forget(build.id, ALICE)
        assert await service.get(build.id, ALICE) is build

    async def test_who_may_not(self, world, service, old):
        with pytest.raises(BuildNotFound):
            await service.forget(old.id, BOB)
        await service.request(REPO, BOB)
        with pytest.raises(AccessDenied, match="delete it"):
            await service.forget(old.id, BOB)

    async def test_a_store_that_is_away_says_so_and_nothing_is_half_gone(self, world, service, old):
        world.store.unavailable = StoreUnavailable("The database does not answer.")
        with pytest.raises(StoreUnavailable):
            await service.forget(old.id, ALICE)
        assert await service.get(old.id, ALICE) is old
