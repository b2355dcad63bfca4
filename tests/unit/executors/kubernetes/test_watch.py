from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.executors.kubernetes.watch import PodWatch

from .clock import ManualClock, settle


def pod(uid, version="1", phase="Pending"):
    return {
        "metadata": {"uid": uid, "name": uid, "resourceVersion": version},
        "status": {"phase": phase},
    }


class Server:
    """Answers lists from a queue of lists, and watches from a queue of events."""

    def __init__(self):
        self.lists = []
        self.events = asyncio.Queue()
        self.watched = []
        self.listed = 0

    async def list_pods(self):
        self.listed += 1
        found = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(found, Exception):
            raise found
        return {"metadata": {"resourceVersion": "10"}, "items": found}

    async def watch_pods(self, version, seconds):
        self.watched.append((version, seconds))
        while True:
            event = await self.events.get()
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event

    def change(self, kind, thing):
        self.events.put_nowait({"type": kind, "object": thing})


@pytest.fixture
async def world():
    server, clock = Server(), ManualClock()
    watch = PodWatch(server.list_pods, server.watch_pods, clock)
    tasks = []

    async def start(*pods):
        server.lists.append(list(pods))
        tasks.append(asyncio.create_task(watch.run()))
        await settle()

    yield server, watch, clock, start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_changes_reach_their_own_readers(world):
    server, watch, _, start = world
    await start(pod("a"), pod("b"))
    with watch.subscribe("a") as a, watch.subscribe("b") as b:
        server.change("MODIFIED", pod("a", "11", "Running"))
        await settle()

        assert a.pod["status"]["phase"] == "Running"
        assert a.changed.is_set()
        assert not b.changed.is_set()


async def test_a_watch_goes_on_from_the_last_version(world):
    server, _, clock, start = world
    await start(pod("a"))
    server.change("MODIFIED", pod("a", "11"))
    server.change("BOOKMARK", {"metadata": {"resourceVersion": "20"}})
    server.events.put_nowait(None)
    await clock.advance(1)

    assert [version for version, _ in server.watched] == ["10", "20"]
    assert all(200 <= seconds <= 290 for _, seconds in server.watched)
    assert server.listed == 1


@pytest.mark.parametrize("how", ["event", "status"])
async def test_a_version_that_is_too_old_is_listed_anew(world, how):
    server, watch, clock, start = world
    await start(pod("a"))
    server.lists = [[pod("b")]]
    if how == "event":
        server.change("ERROR", {"code": 410, "message": "too old resource version"})
    else:
        server.events.put_nowait(ApiError("gone", 410))
    with watch.subscribe("a") as a, watch.subscribe("b") as b:
        await clock.advance(5)

        assert server.listed == 2
        assert a.gone
        assert b.pod["metadata"]["uid"] == "b"


async def test_a_lost_deletion_is_noticed_by_the_next_list(world):
    server, watch, clock, start = world
    await start(pod("a"))
    server.lists = [[]]
    with watch.subscribe("a") as a:
        await clock.advance(301)
        assert not a.gone
        server.events.put_nowait(None)
        await settle()

        assert a.gone
        assert a.pod["metadata"]["uid"] == "a"


async def test_it_never_gives_up_and_waits_longer_each_time(world):
    server, watch, clock, start = world
    server.lists = [ApiError("down")] * 12
    await start(pod("a"))
    for _ in range(12):
        await clock.advance(30)

    with watch.subscribe("a") as a:
        assert a.pod is not None
    assert server.listed == 13


async def test_what_cannot_be_read_is_not_the_end(world):
    server, watch, clock, start = world
    await start(pod("a"))
    server.change("MODIFIED", {"nonsense": True})
    await clock.advance(5)
    server.change("MODIFIED", pod("a", "12", "Running"))
    await clock.advance(5)

    with watch.subscribe("a") as a:
        assert a.pod["status"]["phase"] == "Running"


async def test_a_server_that_hangs_up_at_once_is_not_asked_without_pause(world):
    server, _, clock, start = world
    for _ in range(1000):
        server.events.put_nowait(None)
    await start()
    await settle(2000)

    assert len(server.watched) < 5
    await clock.advance(60)
    assert 5 < len(server.watched) < 100


async def test_a_pod_learned_during_a_list_is_kept(world):
    server, watch, clock, start = world
    await start()
    listing = asyncio.Event()

    async def slow_list():
        listing.set()
        await clock.sleep(1)
        return {"metadata": {"resourceVersion": "30"}, "items": []}

    watch._list_pods = slow_list
    server.events.put_nowait(ApiError("gone", 410))
    while not listing.is_set():
        await clock.advance(1)
    watch.learn(pod("new"))
    await clock.advance(5)

    with watch.subscribe("new") as new:
        assert new.pod is not None
        assert not new.gone


async def test_an_answer_that_was_on_its_way_does_not_bring_a_pod_back(world):
    server, watch, _, start = world
    await start(pod("a"))
    server.change("DELETED", pod("a", "12"))
    await settle()
    watch.learn(pod("a"))

    with watch.subscribe("a") as a:
        assert a.pod is None


async def test_a_connection_that_broke_costs_no_list(world):
    server, watch, clock, start = world
    await start(pod("a"))
    server.change("MODIFIED", pod("a", "12"))
    server.events.put_nowait(ApiError("connection reset"))
    await clock.advance(5)

    assert [version for version, _ in server.watched] == ["10", "12"]
    assert server.listed == 1
    server.change("MODIFIED", pod("a", "13"))
    await settle()
    assert [p["metadata"]["resourceVersion"] for p in watch.pods] == ["13"]


async def test_a_version_that_the_server_does_not_take_is_given_up(world):
    server, _, clock, start = world
    await start(pod("a"))
    for _ in range(3):
        server.events.put_nowait(ApiError("Too large resource version", 504))
    await clock.advance(20)

    assert server.listed == 2


async def test_a_server_that_always_refuses_is_asked_less_and_less(world):
    server, _, clock, start = world
    await start(pod("a"))
    for _ in range(1000):
        server.change("ERROR", {"code": 410, "message": "too old resource version"})
    await clock.advance(120)

    assert server.listed < 40


async def test_what_comes_late_changes_nothing(world):
    server, watch, _, start = world
    await start(pod("a"))
    server.change("MODIFIED", pod("a", "12", "Succeeded"))
    server.change("MODIFIED", pod("a", "11", "Running"))
    await settle()
    with watch.subscribe("a") as a:
        assert a.pod["status"]["phase"] == "Succeeded"

    server.change("DELETED", pod("a", "13"))
    server.change("MODIFIED", pod("a", "12", "Succeeded"))
    await settle()
    assert watch.pods == []


async def test_pods_are_known_while_the_watch_stands(world):
    server, watch, _, start = world
    assert watch.pods is None
    await start(pod("a"), pod("b"))
    assert [p["metadata"]["uid"] for p in watch.pods] == ["a", "b"]

    watch.leaving("a")
    assert [p["metadata"]["uid"] for p in watch.pods] == ["b"]

    server.lists = [ApiError("down")] * 99
    server.events.put_nowait(ApiError("down"))
    await settle()
    assert watch.pods is None
