from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.feed import MEMORY, Feed
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.recording import Recorder, Shelf
from jupyterhub_imagebuilder.errors import StoreUnavailable

BUILT = PhaseChanged(Phase.BUILT, "The image is built")


class SlowStore:
    """Takes everything in, and has nothing of it until it is told to."""

    def __init__(self):
        self.waiting = []
        self.kept = []
        self.busy = 0  # how often it will not answer

    def append(self, record, page):
        assert record == "record"
        self.waiting.append((asyncio.get_running_loop().create_future(), page))
        return self.waiting[-1][0]

    async def take(self):
        while self.waiting:
            taken, page = self.waiting.pop(0)
            self.kept.append(page)
            taken.set_result(None)
            await asyncio.sleep(0)

    async def page(self, build_id, number):
        assert build_id == "one"
        if self.busy:
            self.busy -= 1
            raise StoreUnavailable("The database's file is locked.")
        return next((page for page in self.kept if number < page.end), None)


class Log:
    def __init__(self):
        self.store = SlowStore()
        shelf = Shelf(self.store, "one")
        self.feed = Feed(shelf)
        self.recorder = Recorder(shelf, self.feed, lambda: "record")
        self.said = 0

    def say(self, count, size=100):
        for number in range(self.said, self.said + count):
            self.feed.append(LogLine("pod", number, f"{number} {'x' * size}", None))
            self.recorder.line()
            self.recorder.mark(str(number))
        self.said += count

    async def read(self):
        """What a viewer is shown who begins now, up to the last line."""
        shown = []
        async with contextlib.aclosing(self.feed.read()) as events:
            async for event in events:
                shown.append(event if isinstance(event, Gap) else event.index)
                if shown[-1] == self.said - 1:
                    break
        return shown


@pytest.fixture
async def log():
    return Log()


@pytest.mark.parametrize(("count", "size"), [(100_000, 0), (20_000, 1000), (50, 1_000_000)])
async def test_no_burst_is_too_fast(log, count, size):
    log.say(count, size)

    assert await log.read() == [*range(count)]
    await log.store.take()
    pages = log.store.kept
    assert pages[0].first == 0
    assert all(before.end == page.first for before, page in pairwise(pages))
    assert pages[-1].end == count
    # who takes the build over after any of them tells nothing twice
    assert [page.mark for page in pages] == [str(page.end - 1) for page in pages]
    assert log.recorder.kept == count
    assert await log.read() == [*range(count)]


async def test_a_burst_between_little_and_much(log):
    for size in (10, 100_000, 10, 5000) * 4:
        log.say(MEMORY // 2 // (size + 200), size)

    assert await log.read() == [*range(log.said)]


async def test_one_page_at_a_time_where_there_is_no_hurry(log):
    log.say(2000)
    assert [page.end for _, page in log.store.waiting] == [1]
    await log.store.take()
    assert [(page.first, page.end) for page in log.store.kept] == [(0, 1), (1, 2000)]


async def test_a_page_that_cannot_be_kept_is_shown_as_missing(log):
    log.say(40_000)
    (taken, lost), *log.store.waiting = log.store.waiting
    taken.cancel()
    await asyncio.sleep(0)
    await log.store.take()

    shown = await log.read()

    assert isinstance(shown[0], Gap)
    assert shown[1:] == [*range(lost.end, 40_000)]


async def test_a_store_that_is_busy_for_a_while_is_asked_again(log):
    log.say(40_000)
    await log.store.take()
    log.store.busy = 2

    assert await log.read() == [*range(40_000)]


async def test_a_store_that_does_not_answer_holds_no_viewer_up_for_ever(log):
    log.say(40_000)
    await log.store.take()
    log.store.busy = 3

    shown = await log.read()

    assert isinstance(shown[0], Gap)
    assert shown[1:] == [*range(log.feed.first, 40_000)]


async def test_the_end_hands_over_what_is_left(log):
    log.say(3000)
    log.feed.append(BUILT)
    log.recorder.finish(over=True)
    await log.store.take()
    assert log.store.kept[-1].events[-1] == BUILT
