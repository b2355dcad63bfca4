"""What outlives the process: by the store, by the executor, and by both."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds import executions
from jupyterhub_imagebuilder.builds import service as service_module
from jupyterhub_imagebuilder.builds.events import Gap, LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import ClaimState
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    BuildNotFound,
    ExecutorUnavailable,
    Reason,
    ServiceUnavailable,
    StoreUnavailable,
)
from tests.fakes.executor import JUMP
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB, request
from tests.unit.builds.world import NEWER, REPO, LongWaits, World, end, settle

AWAY = StoreUnavailable("The database does not answer.")


@pytest.fixture
async def world():
    world = World(limits=QueueLimits(running=1))
    world.clock = LongWaits()
    world.store = MemoryStore()
    world.executor.manual = True
    yield world
    for service in world.services:
        await service.stop()


async def killed(world, service):
    """The process is gone from one moment to the next: nothing that it still does has effect."""
    store, world.store = world.store, MemoryStore()
    world.store.records, world.store.pages = dict(store.records), dict(store.pages)
    world.store.unavailable = store.unavailable
    await service.stop()


def lines(events):
    return [event.text for event in events if isinstance(event, LogLine)]


async def seen(build, after=None):
    return [event async for event in build.events(after)]


async def running(world, service):
    """A build under way that has said two lines."""
    build = await service.request(REPO, ALICE)
    await settle()
    script = world.executor.build(build.request.name)
    script.line("one", Phase.BUILDING)
    script.line("two")
    await settle()
    return build, script


async def test_what_was_queued_is_queued_again_in_its_order(world):
    first = world.service()
    build, script = await running(world, first)
    for number, owner in enumerate((BOB, ALICE)):
        world.clock.time += 1
        await first.request(REPO, owner, f"{number}" * 40)
        assert len(world.store.records) == 2 + number  # stored when it is acknowledged
    await killed(world, first)
    second = world.service()
    await second.take_up()
    await settle()
    assert second.queued == 2
    waiting = [b for b in reversed(await second.list(ADMIN, 10)) if b.id != build.id]
    assert [b.message for b in waiting] == [
        "Waiting in the queue, at position 1.",
        "Waiting in the queue, at position 2.",
    ]
    script.end()
    await settle()
    assert len(world.executor.created) == 2
    assert world.executor.created[1].id == waiting[0].id
    with pytest.raises(BuildNotFound):
        await second.get(waiting[0].id, ALICE)
    assert await second.get(waiting[0].id, BOB) is waiting[0]


async def test_a_log_goes_on_where_it_was_and_no_line_comes_twice(world):
    first = world.service()
    build, script = await running(world, first)
    await killed(world, first)
    second = world.service()
    await second.take_up()
    adopted = await second.get(build.id, ALICE)
    assert adopted.phase is Phase.BUILDING
    reading = asyncio.create_task(seen(adopted, f"{script.uid}:0"))
    script.line("three")
    script.end()
    assert lines(await reading) == ["two", "three"]
    assert lines(await seen(adopted)) == ["one", "two", "three"]
    assert adopted.phase is Phase.BUILT


async def test_what_was_moved_away_meanwhile_is_one_gap(world):
    first = world.service()
    build, script = await running(world, first)
    await killed(world, first)
    script.line("lost")
    script.forget()
    second = world.service()
    await second.take_up()
    script.line("three")
    script.end()
    events = await seen(await second.get(build.id, ALICE))
    assert lines(events) == ["one", "two", "three"]
    assert len([e for e in events if isinstance(e, Gap)]) == 1
    assert [e.index for e in events if isinstance(e, LogLine)] == [0, 1, JUMP]


async def test_what_ended_while_nobody_looked_is_completed(world):
    first = world.service()
    build, script = await running(world, first)
    await killed(world, first)
    script.line("three")
    script.end()
    second = world.service()
    await second.take_up()
    await settle()
    assert lines(await seen(await second.get(build.id, ALICE))) == ["one", "two", "three"]
    assert (await second.get(build.id, ALICE)).phase is Phase.BUILT


@pytest.mark.parametrize("pushed", [True, False])
async def test_whose_pod_is_gone_the_registry_is_asked_about(world, pushed):
    first = world.service()
    build, _ = await running(world, first)
    await killed(world, first)
    if pushed:
        world.registry.images[build.request.image] = "sha256:d"
    await world.executor.remove((await world.executor.found())[0])
    second = world.service()
    await second.take_up()
    await settle()
    after = await second.get(build.id, ALICE)
    if pushed:
        assert (after.phase, after.digest) == (Phase.BUILT, "sha256:d")
    else:
        assert (after.phase, after.reason) == (Phase.FAILED, Reason.EXECUTOR_LOST)
    events = await seen(after)
    assert lines(events) == ["one", "two"]
    assert [type(event) for event in events].count(Gap) == 1  # it may have said more


async def test_what_is_over_is_remembered_with_its_log_and_its_owners(world):
    first = world.service()
    build, script = await running(world, first)
    await first.request(REPO, BOB)
    script.end()
    await end(build)
    await settle()
    await killed(world, first)
    second = world.service()
    await second.take_up()
    for owner in (ALICE, BOB):
        (again,) = await second.list(owner, 10)
        assert (again.id, again.phase, again.digest) == (build.id, Phase.BUILT, build.digest)
        assert lines(await seen(again)) == ["one", "two"]
        assert await second.vouch(build.image, owner) == build.image
    assert again.entered.keys() == {Phase.WAITING, Phase.BUILDING, Phase.BUILT}
    assert again.finished == build.finished


async def test_a_store_that_is_away_at_the_start_loses_no_build(world):
    first = world.service()
    build, script = await running(world, first)
    queued = await first.request(REPO, BOB, NEWER)
    await killed(world, first)
    world.store.unavailable = AWAY
    second = world.service()
    await second.take_up()
    adopted = await second.get(build.id, ALICE)
    with pytest.raises(StoreUnavailable):
        await second.get(queued.id, BOB)
    with pytest.raises(StoreUnavailable):
        await second.vouch("registry.example.org/team/x@sha256:0", ALICE)
    assert await second.list(BOB, 10) == []
    world.store.recover()
    await second.take_up()
    assert (await second.get(queued.id, BOB)).phase is Phase.WAITING
    assert await second.get(build.id, ALICE) is adopted
    script.end()
    await settle()
    assert lines(await seen(adopted)) == ["one", "two"]
    await killed(world, second)
    third = world.service()
    await third.take_up()
    assert lines(await seen(await third.get(build.id, ALICE))) == ["one", "two"]


async def test_a_build_goes_on_while_the_store_is_away(world):
    service = world.service()
    build, script = await running(world, service)
    world.store.unavailable = AWAY
    script.line("three")
    script.end()
    assert lines(await seen(build)) == ["one", "two", "three"]
    world.store.recover()
    await killed(world, service)
    second = world.service()
    assert lines(await seen(await second.get(build.id, ALICE))) == ["one", "two", "three"]


async def test_what_began_although_the_answer_was_lost_is_joined_or_removed_at_its_end(world):
    service = world.service()
    world.executor.admit.clear()
    build = await service.request(REPO, ALICE)
    await settle()
    world.executor.unavailable = ExecutorUnavailable("Kubernetes does not answer.")
    world.executor.admit.set()
    assert (await end(build)).reason is Reason.EXECUTOR_LOST
    world.executor.unavailable = None
    script = world.executor.put(build.request)
    await service.take_up()
    await settle()
    # another process may follow it, and who tries again joins it
    assert [claim.uid for claim in await world.executor.found()] == [script.uid]
    again = await service.request(REPO, ALICE)
    await settle()
    assert again.uid == script.uid
    assert world.executor.created == []
    script.end(BuildFailed("A step failed."))
    await end(again)
    script = world.executor.put(build.request)
    script.end()
    await service.take_up()
    await settle()
    assert await world.executor.found() == []


async def test_what_another_process_began_is_followed_by_the_one_that_stays(world):
    first, second = world.service(), world.service()
    await second.take_up()
    build, script = await running(world, first)
    await killed(world, first)
    await second.take_up()
    await settle()
    script.end()
    await settle()
    assert (await second.get(build.id, ALICE)).phase is Phase.BUILT
    assert await world.executor.found() == []


async def test_a_build_of_a_process_that_lives_is_not_shown_without_its_end(world):
    first, second = world.service(), world.service()
    await second.take_up()
    build, _ = await running(world, first)
    with pytest.raises(ServiceUnavailable):
        await second.get(build.id, ALICE)


async def test_a_pod_that_was_seen_through_is_not_taken_up_by_an_old_list(world):
    service = world.service()
    build, script = await running(world, service)
    claims = await world.executor.found()
    script.end()
    await end(build)
    await settle()

    async def found():
        return claims

    world.executor.found = found
    await service.take_up()
    await settle()
    assert [b.id for b in await service.list(ADMIN, 10)] == [build.id]
    assert world.executor.following == 0


async def test_what_is_left_of_a_build_that_is_over_is_removed_at_the_next_start(world):
    first = world.service()
    build, script = await running(world, first)
    script.line("three")
    await settle()
    world.registry.images[build.request.image] = "sha256:d"
    await killed(world, first)
    kept = world.store.records[build.id]
    world.store.records[build.id] = dataclasses.replace(
        kept, phase=Phase.BUILT, digest="sha256:d", finished=1.0
    )
    second = world.service()
    await second.take_up()
    await settle()
    assert await world.executor.found() == []
    assert [b.id for b in await second.list(ADMIN, 10)] == [build.id]


async def test_two_records_of_one_key_end_alike(world):
    first = world.service()
    build, script = await running(world, first)
    await killed(world, first)
    other = dataclasses.replace(world.store.records[build.id], owners=frozenset())
    other = dataclasses.replace(other, request=dataclasses.replace(other.request, id="b2"))
    world.store.records["b2"] = other
    second = world.service()
    await second.take_up()
    script.end()
    await settle()
    ends = [(await second.get(id_, ADMIN)).phase for id_ in (build.id, "b2")]
    assert ends == [Phase.BUILT, Phase.BUILT]


async def test_the_next_try_waits_until_what_failed_is_removed(world, monkeypatch):
    monkeypatch.setattr(executions, "_REMOVE_PATIENCE", 0)
    service = world.service()
    build, _ = await running(world, service)
    gone, removal = asyncio.Event(), world.executor.remove

    async def remove(claim):
        if not gone.is_set():
            raise ExecutorUnavailable("Kubernetes does not answer.")
        await removal(claim)

    world.executor.remove = remove
    await service.cancel(build.id, ALICE)
    again = await service.request(REPO, ALICE)
    await settle()
    assert again.message == "Waiting until the earlier build of this is removed."
    assert len(world.executor.created) == 1
    gone.set()
    await settle()
    assert len(world.executor.created) == 2
    world.executor.build(again.request.name).end()
    assert (await end(again)).phase is Phase.BUILT


async def test_a_claim_of_an_unknown_build_is_adopted_with_its_owner(world):
    world.executor.put(request(owner=BOB))
    service = world.service()
    await service.take_up()
    (build,) = await service.list(BOB, 10)
    assert build.id == "b1"
    assert (await world.executor.found())[0].state is ClaimState.RUNNING
    assert world.store.records["b1"].uid == "uid-1"


async def test_many_pods_and_a_store_that_is_away_are_one_question(world):
    asked = []

    async def get(build_id):
        asked.append(build_id)
        raise AWAY

    world.store.get = get
    for number in range(5):
        world.executor.put(request(f"b{number}", commit=f"{number}" * 40))
    service = world.service()
    await service.take_up()
    assert len(await service.list(ADMIN, 10)) == 5
    assert len(asked) == 1


async def test_what_is_left_in_the_store_is_not_asked_for_one_by_one(world):
    first = world.service()
    build, _ = await running(world, first)
    await killed(world, first)

    async def get(build_id):
        pytest.fail(f"asked for {build_id}")

    world.store.get = get
    second = world.service()
    await second.take_up()
    assert (await second.list(ADMIN, 10))[0].id == build.id


async def test_an_end_without_the_lines_before_it_shows_a_gap(world):
    first = world.service()
    build, script = await running(world, first)
    script.end()
    await end(build)
    await settle()
    await killed(world, first)
    (page, *_) = world.store.pages[build.id]
    world.store.pages[build.id] = [page]
    second = world.service()
    events = await seen(await second.get(build.id, ALICE))
    assert isinstance(events[-2], Gap)
    assert (events[-1].phase, events[-1].digest) == (Phase.BUILT, build.digest)
    assert lines(events) == []


class SlowStore(MemoryStore):
    """Takes a while, until the test says so."""

    def __init__(self):
        super().__init__()
        self.pause = asyncio.Event()
        self.pause.set()

    def save(self, record):
        return asyncio.create_task(self._later(super().save(record)))

    async def _later(self, saved):
        await self.pause.wait()
        await saved


@pytest.mark.parametrize("step", ["begin", "join", "cancel"])
async def test_nobody_is_told_what_does_not_outlive_the_process(world, step):
    world.store = SlowStore()
    service = world.service()
    if step != "begin":
        build = await service.request(REPO, ALICE)
        await settle()
    world.store.pause.clear()
    if step == "cancel":
        telling = asyncio.create_task(service.cancel(build.id, ALICE))
    else:
        telling = asyncio.create_task(service.request(REPO, BOB))
    await settle()
    assert not telling.done()
    world.store.pause.set()
    told = await telling
    assert told.over is (step == "cancel")


async def test_what_has_to_wait_and_cannot_be_kept_is_refused(world, monkeypatch):
    world.store = SlowStore()
    service = world.service()
    await running(world, service)
    monkeypatch.setattr(service_module, "_SAVE_PATIENCE", 0.01)
    world.store.pause.clear()
    with pytest.raises(StoreUnavailable):
        await service.request(REPO, BOB, NEWER)
    await settle()
    assert service.queued == 0
    world.store.pause.set()


async def test_who_waited_for_the_pod_of_another_build_tries_again_when_that_is_lost(world):
    first = world.service()
    build, script = await running(world, first)
    await killed(world, first)
    kept = world.store.records[build.id]
    request_2 = dataclasses.replace(kept.request, id="b2")
    world.store.records["b2"] = dataclasses.replace(kept, request=request_2, uid=None)
    second = world.service()
    await second.take_up()
    await settle()
    script.vanish()
    await settle()
    assert (await second.get(build.id, ADMIN)).reason is Reason.EXECUTOR_LOST
    assert not (await second.get("b2", ADMIN)).over
    world.executor.build(request_2.name).end()
    await settle()
    assert (await second.get("b2", ADMIN)).phase is Phase.BUILT


async def test_a_request_that_is_given_up_leaves_no_task(world):
    world.store = SlowStore()
    service = world.service()
    world.store.pause.clear()
    before = asyncio.all_tasks()
    telling = asyncio.create_task(service.request(REPO, BOB))
    await settle()
    telling.cancel()
    await settle()
    saving = {t for t in asyncio.all_tasks() - before if t.get_coro().__qualname__ == "Build.save"}
    assert not saving
    world.store.pause.set()


async def test_what_was_queued_and_finds_its_image_may_have_said_something(world):
    first = world.service()
    await running(world, first)
    queued = await first.request(REPO, BOB, NEWER)
    await killed(world, first)
    world.registry.images[queued.request.image] = "sha256:d"
    world.executor.build((await world.executor.found())[0].request.name).end()
    world.clock.time += 60
    second = world.service()
    await second.take_up()
    await settle()
    events = await seen(await second.get(queued.id, BOB))
    assert (events[-1].phase, events[-1].digest) == (Phase.BUILT, "sha256:d")
    assert isinstance(events[-2], Gap)
