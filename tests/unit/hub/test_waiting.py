from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    BuildNotFound,
    Reason,
    RefNotFound,
    ServiceUnavailable,
)
from jupyterhub_imagebuilder.hub import waiting
from jupyterhub_imagebuilder.hub.streams import BuildStreams
from jupyterhub_imagebuilder.hub.waiting import WaitingRoom, WaitView, Wish, seats, wait_for_build

from .fakes import BUILT, BUILT_EVENT, COMMIT, DIGEST, OPEN, FakeService, lines

ALICE = Owner("alice")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(waiting, "_PAUSE", 0.0)


class Hub:
    def __init__(self, service):
        self.service = service
        self.streams = BuildStreams(service)
        self.room = WaitingRoom()

    async def wait(self, view=None, **wish):
        return await wait_for_build(
            Wish("git://h/r", ALICE, **wish),
            self.service,
            self.streams,
            self.room,
            view or WaitView(),
        )


async def until(condition):
    async with asyncio.timeout(1):
        while not condition():  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0)


async def test_an_image_that_is_there_needs_no_seat():
    hub = Hub(FakeService([BUILT]))
    assert await hub.wait(seats=0) == BUILT
    assert hub.service.opened == 0


async def test_it_waits_for_the_terminal_event():
    hub = Hub(FakeService([OPEN], [[*lines("one"), BUILT_EVENT]]))
    result = await hub.wait()
    assert (result.phase, result.digest, result.commit) == (Phase.BUILT, DIGEST, COMMIT)
    assert hub.room.taken == 0


async def test_a_hundred_starts_read_one_stream_and_leave_seats():
    service = FakeService([OPEN], [["hold", BUILT_EVENT]])
    hub = Hub(service)
    limit = seats(0.25, 64)
    waits = [asyncio.create_task(hub.wait(seats=limit)) for _ in range(100)]
    await until(lambda: service.opened and sum(wait.done() for wait in waits) == 84)
    assert hub.room.taken == 16
    assert service.opened == 1
    service.hold.set()
    results = await asyncio.gather(*waits, return_exceptions=True)
    turned_away = [each for each in results if isinstance(each, BuildFailed)]
    assert len(turned_away) == 84
    assert {each.reason for each in turned_away} == {Reason.STILL_BUILDING}
    assert "start the server again" in turned_away[0].message
    assert (hub.room.taken, service.closed) == (0, 1)


async def test_a_broken_stream_and_an_absent_service_are_waited_out_with_the_same_commit():
    service = FakeService(
        [OPEN, ServiceUnavailable("no"), ServiceUnavailable("no"), BUILT],
        [[*lines("one"), "break"]],
    )
    assert (await Hub(service).wait()).phase is Phase.BUILT
    assert [commit for _, _, commit in service.asked] == [None, COMMIT, COMMIT, COMMIT]


async def test_a_build_that_a_restarted_service_does_not_know_is_asked_for_again():
    class Forgetful(FakeService):
        async def events(self, build_id, after=None):
            self.opened += 1
            raise BuildNotFound("no such build")
            yield

    service = Forgetful([OPEN, BUILT])
    assert (await Hub(service).wait()).phase is Phase.BUILT
    assert service.opened == 1


async def test_a_service_that_never_answers_ends_the_wait(monkeypatch):
    monkeypatch.setattr(waiting, "_PATIENCE", -1.0)
    with pytest.raises(ServiceUnavailable):
        await Hub(FakeService([ServiceUnavailable("no")])).wait()


async def test_waiting_for_an_absent_service_takes_a_seat():
    with pytest.raises(BuildFailed) as caught:
        await Hub(FakeService([ServiceUnavailable("no")])).wait(seats=0)
    assert caught.value.reason is Reason.STILL_BUILDING


async def test_a_service_that_answers_slowly_holds_no_more_than_the_seats(monkeypatch):
    """A slow repository host must not take all of the hub's slots for starts."""
    monkeypatch.setattr(waiting, "_PROMPT", 0.0)

    class Slow(FakeService):
        async def start_build(self, text, owner, commit=None):
            await self.hold.wait()
            return await super().start_build(text, owner, commit)

    hub = Hub(Slow([BUILT]))
    waits = [asyncio.create_task(hub.wait(seats=16)) for _ in range(100)]
    await until(lambda: sum(wait.done() for wait in waits) == 84)
    assert hub.room.taken == 16
    hub.service.hold.set()
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert results.count(BUILT) == 16
    turned_away = [each for each in results if isinstance(each, BuildFailed)]
    assert {each.reason for each in turned_away} == {Reason.STILL_BUILDING}
    assert hub.room.taken == 0


async def test_a_refusal_is_passed_on():
    with pytest.raises(RefNotFound, match="no such ref"):
        await Hub(FakeService([RefNotFound("no such ref")])).wait()


async def test_a_failed_build_ends_with_its_reason_and_the_services_sentence():
    failed = PhaseChanged(Phase.FAILED, "A step failed: no such package", Reason.BUILD_FAILED)
    hub = Hub(FakeService([OPEN], [[*lines("one", "ERROR: no such package"), failed]]))
    with pytest.raises(BuildFailed, match=r"^A step failed: no such package$") as error:
        await hub.wait()
    assert error.value.reason is Reason.BUILD_FAILED


async def test_a_cancelled_build_says_so():
    answer = replace(OPEN, phase=Phase.CANCELLED, message="Bob stopped it.")
    with pytest.raises(BuildFailed, match="Bob") as error:
        await Hub(FakeService([answer])).wait()
    assert error.value.reason is Reason.CANCELLED


async def test_it_has_its_own_deadline():
    hub = Hub(FakeService([OPEN], [["hold"]]))
    with pytest.raises(BuildFailed, match="may go on") as error:
        await hub.wait(timeout=0.01)
    assert error.value.reason is Reason.TIMEOUT
    assert hub.room.taken == 0


async def test_cancelling_only_stops_looking():
    service = FakeService([OPEN], [["hold", BUILT_EVENT]])
    hub = Hub(service)
    first, second = (asyncio.create_task(hub.wait()) for _ in range(2))
    await until(lambda: hub.room.taken == 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert service.closed == 0  # the other one still reads
    service.hold.set()
    assert (await second).phase is Phase.BUILT
    assert service.closed == 1


@pytest.mark.parametrize(
    ("fraction", "limit", "expected"),
    [(0.25, 64, 16), (0.25, 2, 1), (0.25, 0, None), (0, 64, 0), (1, 10, 10)],
)
def test_seats(fraction, limit, expected):
    assert seats(fraction, limit) == expected
