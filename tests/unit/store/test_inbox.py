from __future__ import annotations

import asyncio
import gc
import time

import pytest

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import inbox as module
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.inbox import Inbox, Work, settle
from tests.contract.store.samples import built, page, record


@pytest.fixture
def inbox(monkeypatch):
    """One whose pace never comes by itself."""
    monkeypatch.setattr(module, "PACE", 3600.0)
    inbox = Inbox()
    inbox._taken = time.monotonic()
    return inbox


def append(first=0):
    return Write("build-1", "001", page(first, first + 2))


def now(inbox):
    return [item.what for item in inbox.wait(time.monotonic())]


async def test_lines_wait_for_each_other(inbox, monkeypatch):
    inbox.put(append(0))
    inbox.put(append(2))
    assert now(inbox) == []
    monkeypatch.setattr(module, "PACE", 0.0)
    assert now(inbox) == [append(0), append(2)]
    assert now(inbox) == []


async def test_a_request_takes_all_that_waits_with_it(inbox):
    inbox.put(append())
    inbox.put(Write.save(record()))
    assert now(inbox) == [append(), Write.save(record())]


async def test_news_of_a_build_that_runs_can_wait(inbox):
    inbox.put(Write.save(record(uid="uid-1", phase=Phase.BUILDING)))
    inbox.put(Write.save(built()))
    assert now(inbox) == []


async def test_the_first_after_a_pause_does_not_wait(inbox):
    inbox._taken = time.monotonic() - 3601
    inbox.put(append())
    assert now(inbox) == [append()]


async def test_work_ends_a_batch_and_what_follows_does_not_wait(inbox):
    work = Work(lambda connection: None)
    inbox.put(append(0))
    inbox.put(work)
    inbox.put(append(2))
    assert now(inbox) == [append(0), work]
    assert now(inbox) == [append(2)]


async def test_a_batch_has_its_limit(inbox, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_WRITES", 2)
    for first in range(0, 6, 2):
        inbox.put(append(first))
    inbox.wake()
    assert now(inbox) == [append(0), append(2)]
    assert now(inbox) == [append(4)]


async def test_beyond_its_room_lines_are_dropped_and_states_are_not(inbox, monkeypatch, caplog):
    monkeypatch.setattr(module, "_ROOM", 20)
    inbox.put(append(0))
    assert await asyncio.wait_for(inbox.put(append(2)), 1) is None
    inbox.put(append(4))
    inbox.put(Write.save(record()))
    assert now(inbox) == [append(0), Write.save(record())]
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    inbox.put(append(6))
    inbox.wake()
    assert now(inbox) == [append(6)]


async def test_who_waits_is_told_from_any_thread(inbox):
    done = [inbox.put(append(0)), inbox.put(Work(lambda connection: None))]
    items = inbox.clear()
    await asyncio.to_thread(settle, items, error=StoreUnavailable("No."))
    assert await done[0] is None  # writes never fail
    with pytest.raises(StoreUnavailable, match="No"):
        await done[1]


async def test_who_gave_up_is_left_alone(inbox):
    done = inbox.put(append(0))
    done.cancel()
    settle(inbox.clear())
    await asyncio.sleep(0)
    assert done.cancelled()


def test_a_loop_that_is_closed_hinders_nobody(inbox):
    async def ask():
        inbox.put(append(0))

    asyncio.run(ask())
    settle(inbox.clear())
    gc.collect()
    assert inbox.clear() == []


async def test_when_it_is_closed_nothing_comes_in(inbox):
    inbox.put(append(0))
    inbox.close()
    assert await inbox.put(append(2)) is None
    with pytest.raises(StoreUnavailable, match="ends"):
        await inbox.put(Work(lambda connection: None))
    assert [item.what for item in inbox.wait(None)] == [append(0)]
    assert inbox.wait(None) == []
