from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import Ended, Pushed
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildFailed,
    BuildNotFound,
    ExecutorUnavailable,
    ImageUnknown,
    QuotaExceeded,
    Reason,
    RefNotFound,
    RegistryDenied,
    RegistryUnavailable,
    SpecForbidden,
    SpecInvalid,
)
from tests.fakes.executor import ScriptedExecutor
from tests.unit.builds.records import ADMIN, ALICE, BOB, COMMIT
from tests.unit.builds.world import NEWER, REPO, LongWaits, World, end, settle


@pytest.fixture
async def world():
    world = World()
    yield world
    for service in world.services:
        await service.stop()


async def test_a_repository_is_built_and_vouched_for(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    assert not build.over
    last = await end(build)
    assert last.phase is Phase.BUILT
    assert last.image == build.image == build.request.image.at(build.digest)
    assert await service.vouch(build.image, ALICE) == build.image
    assert len(world.executor.created) == 1


async def test_the_second_time_nothing_is_built(world):
    service = world.service()
    first = await service.request(REPO, ALICE)
    await end(first)
    second = await service.request(f"{REPO}@main", BOB)
    assert second.over
    assert second.image == first.image
    assert len(world.executor.created) == 1
    assert await service.vouch(first.image, BOB)


async def test_the_registry_is_prepared_before_a_build_and_only_then(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await end(build)
    await end(await service.request(REPO, BOB))
    assert world.registry.prepared == [build.request.image]


async def test_a_registry_that_cannot_be_prepared_starts_no_build(world):
    async def prepare(image):
        raise RegistryDenied("The repository may not be created.")

    world.registry.prepare = prepare
    last = await end(await world.service().request(REPO, ALICE))
    assert (last.phase, last.reason) == (Phase.FAILED, Reason.REGISTRY_DENIED)
    assert world.executor.created == []


async def test_an_image_of_an_earlier_life_is_found(world):
    await end(await world.service().request(REPO, ALICE))
    later = await world.service().request(REPO, ALICE)
    assert (later.over, later.cached) == (True, True)
    assert (await end(later)).phase is Phase.BUILT


async def test_who_asks_at_the_same_time_shares_one_build(world):
    world.executor.manual = True
    service = world.service()
    builds = await asyncio.gather(*(service.request(REPO, ALICE) for _ in range(50)))
    await settle()
    assert len({build.id for build in builds}) == 1
    assert len(world.executor.created) == 1
    joined = await service.request(REPO, BOB)
    assert joined is builds[0]
    assert joined in await service.list(BOB, 100)


async def test_a_new_commit_is_a_new_build(world):
    service = world.service()
    await end(await service.request(REPO, ALICE))
    world.provider.commits[(REPO, "HEAD")] = NEWER
    newer = await service.request(REPO, ALICE)
    await end(newer)
    assert [r.resolved.commit for r in world.executor.created] == [COMMIT, NEWER]


async def test_a_commit_that_is_named_is_built_whatever_the_ref_means_by_now(world):
    service = world.service()
    world.provider.commits[(REPO, "main")] = NEWER
    build = await service.request(f"{REPO}@main", ALICE, commit=COMMIT)
    assert build.request.resolved.commit == COMMIT
    assert build.request.spec.ref == "main"
    assert not world.provider.calls
    with pytest.raises(SpecInvalid, match="40 hexadecimal"):
        await service.request(REPO, ALICE, commit="abc")


@pytest.mark.parametrize("text", ["", "hello world", "ubuntu:22.04", "build:nope/x/y"])
async def test_what_is_no_repository_is_refused(world, text):
    with pytest.raises(SpecInvalid):
        await world.service().request(text, ALICE)


async def test_refusals_leave_no_trace(world):
    world.policy = SpecPolicy(banned=["https://git.example.org/org/evil"])
    service = world.service()
    with pytest.raises(SpecForbidden):
        await service.request("https://git.example.org/org/evil", ALICE)
    with pytest.raises(RefNotFound):
        await service.request(f"{REPO}@absent", ALICE)
    world.registry.down = RegistryUnavailable("The registry does not answer.")
    with pytest.raises(RegistryUnavailable):
        await service.request(REPO, ALICE)
    assert await service.list(ADMIN, 100) == []
    assert world.executor.created == []


async def test_a_failed_build_says_why_and_the_next_request_tries_again(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    await settle()
    world.executor.build(build.request.name).end(BuildFailed("pip failed", Reason.BUILD_FAILED))
    last = await end(build)
    assert (last.phase, last.reason, last.message) == (
        Phase.FAILED,
        Reason.BUILD_FAILED,
        "pip failed",
    )
    again = await service.request(REPO, ALICE)
    assert again is not build
    await settle()
    assert len(world.executor.created) == 2
    world.executor.build(again.request.name).end()
    assert (await end(again)).phase is Phase.BUILT


async def test_what_failed_is_gone_before_anyone_hears_of_it(world):
    """A pod that cannot start is still there: the next try must not meet it."""
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    await settle()
    pod = world.executor.build(build.request.name)
    pod.say(Ended(BuildFailed("the image cannot be pulled", Reason.IMAGE_PULL)))
    assert (await end(build)).reason is Reason.IMAGE_PULL
    assert [claim.uid for claim in world.executor.removed] == [pod.uid]
    assert 60.0 not in world.clock.slept


async def test_what_a_finished_build_left_is_removed_later(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await end(build)
    await settle()
    assert 60.0 in world.clock.slept
    assert [claim.request.id for claim in world.executor.removed] == [build.id]


async def test_built_means_that_the_registry_answers(world):
    world.executor = ScriptedExecutor()  # says that it pushed, and the registry knows of nothing
    build = await world.service().request(REPO, ALICE)
    last = await end(build)
    assert (last.phase, last.reason) == (Phase.FAILED, Reason.PUSH_FAILED)
    assert world.clock.now() - 1_000_000 >= 30
    assert build.request.image in world.registry.fresh


async def test_a_push_that_is_done_is_announced_before_the_build_has_ended(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    await settle()
    pod = world.executor.build(build.request.name)
    world.registry.failures = [RegistryUnavailable("not yet")]
    pod.say(Pushed())
    await settle()
    assert not build.over  # nothing is announced that cannot be read back
    world.registry.images[build.request.image] = "sha256:pushed"
    pod.say(Pushed())
    assert (await end(build)).digest == "sha256:pushed"
    assert not pod.ended
    await settle()
    assert world.executor.following == 0


async def test_a_registry_that_is_away_for_a_moment_after_the_push_is_asked_again(world):
    service = world.service()
    world.executor.manual = True
    build = await service.request(REPO, ALICE)
    await settle()
    world.registry.failures = [RegistryUnavailable("away"), RegistryUnavailable("away")]
    world.executor.build(build.request.name).end()
    assert (await end(build)).phase is Phase.BUILT


async def test_a_build_of_another_process_is_adopted_by_its_name(world):
    world.executor.manual = True
    first, second = world.service(), world.service()
    builds = [await first.request(REPO, ALICE), await second.request(REPO, BOB)]
    await settle()
    assert len(world.executor.created) == 1
    running = world.executor.build(builds[0].request.name)
    running.line("one", Phase.BUILDING)
    running.end()
    ends = [await end(build) for build in builds]
    assert ends[0].image == ends[1].image
    assert [e.phase for e in ends] == [Phase.BUILT, Phase.BUILT]


async def test_a_finished_build_of_another_process_is_shared_if_the_registry_has_its_image(world):
    """It ended between our look-up and our claim."""
    other = world.service()
    mine = world.service()
    build = await mine.request(REPO, BOB)  # looked up: absent; its claim comes later
    world.executor.admit.clear()
    await settle()
    world.executor.put(build.request).end()
    world.registry.images[build.request.image] = "sha256:theirs"
    world.executor.admit.set()
    last = await end(build)
    assert (last.phase, last.digest) == (Phase.BUILT, "sha256:theirs")
    assert world.executor.created == []
    assert await other.list(ADMIN, 100) == []


async def test_a_failed_build_that_lingers_is_removed_and_built_again(world):
    service = world.service()
    world.executor.admit.clear()
    build = await service.request(REPO, ALICE)
    await settle()
    world.executor.put(build.request).end(BuildFailed("an old failure"))
    world.executor.admit.set()
    assert (await end(build)).phase is Phase.BUILT
    assert len(world.executor.created) == 1


async def test_an_image_that_was_removed_behind_our_back_is_built_again_at_once(world):
    """What built it lingers still, and says that all went well."""
    world.clock = LongWaits()
    world.settings = {"linger": 3600.0}
    service = world.service()
    first = await service.request(REPO, ALICE)
    await end(first)
    await settle()
    del world.registry.images[first.request.image]
    asked = len(world.registry.asked)
    second = await service.request(REPO, ALICE)
    assert (await end(second)).phase is Phase.BUILT
    assert len(world.executor.created) == 2
    assert len(world.registry.asked) - asked <= 4


async def test_a_finished_build_of_another_process_whose_image_never_appears_is_done_again(world):
    service = world.service()
    world.executor.admit.clear()
    build = await service.request(REPO, ALICE)
    await settle()
    theirs = world.executor.put(build.request)
    world.executor.unpushed.add(theirs.uid)
    theirs.end()
    world.executor.admit.set()
    assert (await end(build)).phase is Phase.BUILT
    assert len(world.executor.created) == 1


async def two_builds(world, **settings):
    """One that runs, and one that waits for its turn."""
    world.settings = {"limits": QueueLimits(running=1), **settings}
    world.executor.manual = True
    service = world.service()
    for name in ("one", "two"):
        world.provider.commits[(REPO + name, "HEAD")] = COMMIT
    running = await service.request(f"{REPO}one", ALICE)
    await settle()
    waiting = await service.request(f"{REPO}two", BOB)
    await settle()
    return service, running, waiting


async def test_a_build_that_has_to_wait_says_so_and_has_its_turn(world):
    world.clock = LongWaits()
    service, running, waiting = await two_builds(world)
    assert len(world.executor.created) == 1
    assert (waiting.phase, waiting.message) == (
        Phase.WAITING,
        "Waiting in the queue, at position 1.",
    )
    assert await service.request(f"{REPO}two", ALICE) is waiting  # joining takes no place
    world.executor.build(running.request.name).end()
    await end(running)
    await settle()
    world.executor.build(waiting.request.name).end()
    assert (await end(waiting)).phase is Phase.BUILT


async def test_a_build_that_waits_can_be_stopped_and_gives_its_place_back(world):
    world.clock = LongWaits()
    service, running, waiting = await two_builds(world)
    await service.cancel(waiting.id, BOB)
    assert waiting.phase is Phase.CANCELLED
    await service.cancel(running.id, ALICE)
    again = await service.request(f"{REPO}two", BOB)
    await settle()
    assert [r.id for r in world.executor.created] == [running.id, again.id]


async def test_a_turn_that_never_comes_has_its_reason(world):
    _, _, waiting = await two_builds(world)
    assert (await end(waiting)).reason is Reason.QUEUE_TIMEOUT


async def test_after_a_long_wait_the_registry_is_asked_again(world):
    world.clock = LongWaits()
    _, running, waiting = await two_builds(world)
    world.registry.images[waiting.request.image] = "sha256:theirs"
    world.clock.time += 31
    world.executor.build(running.request.name).end()
    last = await end(waiting)
    assert (last.phase, last.digest) == (Phase.BUILT, "sha256:theirs")
    assert len(world.executor.created) == 1


async def test_a_full_queue_refuses_and_an_image_that_is_there_is_found_all_the_same(world):
    world.clock = LongWaits()
    service, running, _ = await two_builds(world, limits=QueueLimits(running=1, waiting=1))
    world.provider.commits[(REPO, "HEAD")] = COMMIT
    with pytest.raises(QuotaExceeded, match="waiting already"):
        await service.request(REPO, ALICE)
    world.registry.images[running.request.image] = "sha256:there"
    world.executor.build(running.request.name).end()
    await end(running)
    assert (await service.request(f"{REPO}one", BOB)).over


async def test_builds_that_are_adopted_count(world):
    world.clock = LongWaits()
    first, *_ = await two_builds(world)
    await first.stop()
    second = world.service()
    await second.take_up()
    again = await second.request(f"{REPO}two", BOB)
    await settle()
    assert len(world.executor.created) == 1
    assert again.message == "Waiting in the queue, at position 1."


async def test_who_asked_first_or_an_admin_may_stop_a_build_and_nobody_else(world):
    world.executor.manual = True
    service = world.service()
    build = await service.request(REPO, ALICE)
    with pytest.raises(BuildNotFound):
        await service.cancel(build.id, BOB)
    await service.request(REPO, BOB)
    with pytest.raises(AccessDenied):
        await service.cancel(build.id, BOB)
    await settle()
    pod = world.executor.build(build.request.name)
    assert await service.cancel(build.id, ALICE) is build
    assert (build.phase, build.reason) == (Phase.CANCELLED, Reason.CANCELLED)
    assert build.message == "alice stopped this build."
    assert [claim.uid for claim in world.executor.removed] == [pod.uid]
    assert await service.cancel(build.id, ADMIN) is build  # again: nothing changes
    assert len(world.executor.removed) == 1


async def test_a_build_is_stopped_while_it_is_claimed_and_leaves_no_pod(world):
    service = world.service()
    world.executor.admit.clear()
    build = await service.request(REPO, ALICE)
    await settle()
    stopping = asyncio.create_task(service.cancel(build.id, ALICE))
    await settle()
    world.executor.admit.set()
    await stopping
    assert build.phase is Phase.CANCELLED
    assert len(world.executor.removed) == len(world.executor.created) == 1


async def test_a_request_while_a_build_is_stopped_gets_a_build_of_its_own(world):
    service = world.service()
    world.executor.admit.clear()
    first = await service.request(REPO, ALICE)
    stopping = asyncio.create_task(service.cancel(first.id, ALICE))
    second = asyncio.create_task(service.request(REPO, BOB))
    await settle()
    assert not second.done()
    world.executor.admit.set()
    await stopping
    assert await second is not first
    assert (await end(await second)).phase is Phase.BUILT


async def test_what_is_over_stays_as_it_ended(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await end(build)
    assert (await service.cancel(build.id, ALICE)).phase is Phase.BUILT


async def test_after_a_restart_builds_under_way_are_adopted(world):
    world.executor.manual = True
    first = world.service()
    build = await first.request(REPO, ALICE)
    await settle()
    running = world.executor.build(build.request.name)
    running.line("one", Phase.BUILDING)
    await settle()
    reading = asyncio.create_task(end(build))
    await first.stop()
    assert (await reading).phase is not Phase.BUILT  # the stream ends, the build does not
    second = world.service()
    await second.take_up()
    running.line("two")
    running.end()
    adopted = await second.get(build.id, ALICE)
    events = [event async for event in adopted.events()]
    assert [event.text for event in events if isinstance(event, LogLine)] == ["one", "two"]
    assert events[-1].phase is Phase.BUILT
    assert len(world.executor.created) == 1


async def test_an_executor_that_is_away_fails_the_build_with_its_reason(world):
    world.executor.unavailable = ExecutorUnavailable("Kubernetes does not answer.")
    last = await end(await world.service().request(REPO, ALICE))
    assert (last.reason, last.message) == (Reason.EXECUTOR_LOST, "Kubernetes does not answer.")


async def test_removal_is_tried_until_it_works(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await end(build)
    world.executor.unavailable = ExecutorUnavailable("away")
    for _ in range(20):
        await asyncio.sleep(0)
    world.executor.unavailable = None
    await settle()
    assert len(world.executor.removed) == 1


async def test_a_fault_of_ours_ends_the_build_and_not_the_service(world):
    async def broken(claim):
        raise ZeroDivisionError
        yield

    world.executor.follow = broken
    service = world.service()
    last = await end(await service.request(REPO, ALICE))
    assert last.reason is Reason.INTERNAL
    assert "ZeroDivision" not in last.message


async def test_builds_of_others_are_not_there(world):
    service = world.service()
    build = await service.request(REPO, ALICE)
    await end(build)
    assert await service.get(build.id, ALICE) is build
    assert await service.get(build.id, ADMIN) is build
    with pytest.raises(BuildNotFound):
        await service.get(build.id, BOB)
    with pytest.raises(ImageUnknown):
        await service.vouch(build.image, BOB)
    with pytest.raises(ImageUnknown):
        await service.vouch(str(build.request.image), ALICE)  # a tag is not a digest
    assert await service.list(BOB, 100) == []


async def test_the_history_is_bounded(world):
    world.settings = {"history": 3}
    service = world.service()
    for number in range(6):
        repo = f"{REPO}{number}"
        world.provider.commits[(repo, "HEAD")] = COMMIT
        await end(await service.request(repo, ALICE))
        await settle()
    assert [b.request.spec.repository[-1] for b in await service.list(ADMIN, 100)] == [
        "5",
        "4",
        "3",
    ]
