from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from jupyterhub_imagebuilder.builds import changes as module
from jupyterhub_imagebuilder.builds.build import Audience, Build
from jupyterhub_imagebuilder.builds.changes import Changes, Gone
from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from tests.fakes.clock import InstantClock
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB
from tests.unit.builds.records import request as make_request
from tests.unit.builds.world import REPO, LongWaits, World, end, settle


class Reader:
    """Reads all that a viewer is told."""

    def __init__(self, changes, owner):
        self.told = []
        self._task = asyncio.create_task(self._read(changes, owner))

    async def _read(self, changes, owner):
        with changes.viewer(owner) as viewer:
            async with aclosing(viewer.changes()) as found:
                async for change in found:
                    self.told.append(change)

    async def end(self):
        self._task.cancel()
        await asyncio.wait({self._task})


@pytest.fixture
async def changes():
    changes = Changes(InstantClock())
    yield changes
    await changes.stop()


@pytest.fixture
async def read(changes):
    readers = []

    async def begin(owner):
        readers.append(Reader(changes, owner))
        await settle()
        return readers[-1].told

    yield begin
    for reader in readers:
        await reader.end()


def new_build(changes, **request):
    return Build(make_request(**request), Audience(news=changes))


async def test_who_may_see_a_build_is_told_of_it(changes, read):
    alice, bob, admin = [await read(owner) for owner in (ALICE, BOB, ADMIN)]
    build = new_build(changes, owner=ALICE)
    await settle()
    assert (alice, bob, admin) == ([build], [], [build])
    build.join(BOB)
    await settle()
    assert (alice, bob) == ([build, build], [build])
    build.complete("sha256:x", 1.0)
    await settle()
    assert (len(alice), len(bob), len(admin)) == (3, 2, 3)


async def test_one_who_reads_slowly_gets_the_newest_state_of_each(changes):
    with changes.viewer(ALICE) as viewer:
        first, second = (new_build(changes, owner=ALICE, build_id=name) for name in "ab")
        for phase in (Phase.FETCHING, Phase.BUILDING, Phase.PUSHING):
            first.observe(PhaseChanged(phase, "x"), 1.0)
        first.complete("sha256:x", 1.0)
        async with aclosing(viewer.changes()) as found:
            assert [await anext(found), await anext(found)] == [first, second]
        assert first.phase is Phase.BUILT


async def test_one_who_does_not_read_at_all_is_sent_away_and_keeps_nothing(changes, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 3)
    with changes.viewer(ALICE) as viewer, changes.viewer(BOB) as other:
        for number in range(5):
            new_build(changes, owner=ALICE, build_id=str(number))
        # who comes back reads the list, so nothing is lost
        assert [change async for change in viewer.changes()] == []
        mine = new_build(changes, owner=BOB)
        async with aclosing(other.changes()) as found:
            assert await anext(found) is mine


async def test_lines_of_the_log_are_no_changes(changes, read):
    build = new_build(changes, owner=ALICE)
    alice = await read(ALICE)
    for index in range(9):
        build.observe(LogLine("uid", index, "x"), 1.0)
    await settle()
    assert alice == []
    build.observe(LogLine("uid", 9, "x", Phase.BUILDING), 1.0)
    await settle()
    assert alice == [build]


async def test_who_comes_later_is_told_nothing_of_before(changes, read):
    new_build(changes, owner=ALICE).complete("sha256:x", 1.0)
    assert await read(ALICE) == []


async def test_what_is_gone_and_what_is_withdrawn(changes, read):
    build = new_build(changes, owner=ALICE)
    build.published = True
    alice, bob = await read(ALICE), await read(BOB)
    build.published = False
    changes.withdrawn(build)
    await settle()
    assert (alice, bob) == ([build], [Gone(build.id)])
    changes.gone(build)
    await settle()
    assert (alice, bob) == ([build, Gone(build.id)], [Gone(build.id)])


async def test_moves_in_the_queue_are_told_once_a_second(read, changes):
    class Second(InstantClock):
        """A second that ends when the test says so."""

        def __init__(self):
            super().__init__()
            self.over = asyncio.Event()

        async def sleep(self, seconds):
            self.slept.append(seconds)
            await self.over.wait()

    clock = changes._clock = Second()
    alice = await read(ALICE)
    build = new_build(changes, owner=ALICE)
    await settle()
    for position in range(99, 0, -1):
        build.stand(position)
        await settle()
    assert (len(alice), clock.slept) == (1, [1.0])
    clock.over.set()
    await settle()
    assert len(alice) == 2
    assert build.position == 1


async def test_a_long_queue_that_moves_holds_nobody_up(changes):
    with changes.viewer(ALICE) as viewer:
        builds = [new_build(changes, owner=ALICE, build_id=name) for name in "abc"]
        viewer._new.clear()
        for build in builds:
            build.stand(1)
        known = set()
        while len(viewer._new) < 3:
            known.add(len(viewer._new))
            await asyncio.sleep(0)
        assert known == {0, 1, 2}
        # and what moves meanwhile is told in its turn
        builds[0].stand(None)
        viewer._new.clear()
        await settle()
        assert list(viewer._new) == ["a"]
    assert changes._moved == {}


async def test_nobody_watches_and_nothing_is_kept(changes):
    build = new_build(changes, owner=ALICE)
    build.stand(1)
    assert changes._moved == {}
    assert changes._telling is None


async def test_the_end_ends_all_and_those_who_come_then(changes):
    async with asyncio.timeout(5):
        for stop in (True, False):
            with changes.viewer(ALICE) as viewer:
                if stop:
                    await changes.stop()
                assert [change async for change in viewer.changes()] == []


async def test_a_viewer_costs_the_store_nothing():
    world = World(limits=QueueLimits(running=1))
    world.clock, world.store = LongWaits(), MemoryStore()
    service = world.service()
    readers = [Reader(service.changes, ALICE) for _ in range(20)]
    await settle()
    build = await service.request(REPO, ALICE)
    # a store that answers no question any more takes what is written
    world.store.unavailable = AssertionError("the store was asked")
    await end(build)
    await settle()
    assert all(reader.told[-1] is build for reader in readers)
    world.store.unavailable = None
    await service.stop()
    for reader in readers:
        await reader.end()
