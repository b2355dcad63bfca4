from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.feed import Feed
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Page

WAITING = PhaseChanged(Phase.WAITING, "waiting")
BUILT = PhaseChanged(Phase.BUILT, "done", image="i", digest="d")


def line(index, source="pod"):
    return LogLine(source, index, f"line {index}")


async def everything(feed, after=None):
    return [event async for event in feed.read(after)]


async def test_a_late_viewer_gets_all_from_the_start():
    feed = Feed()
    events = [WAITING, line(0), line(1), BUILT]
    for event in events:
        feed.append(event)
    assert await everything(feed) == events


async def test_a_viewer_follows_live_until_the_terminal_event():
    feed = Feed()
    reading = asyncio.create_task(everything(feed))
    for event in (WAITING, line(0), BUILT):
        await asyncio.sleep(0)
        feed.append(event)
    assert await reading == [WAITING, line(0), BUILT]


async def test_a_viewer_resumes_behind_the_line_that_it_has():
    feed = Feed()
    for event in (WAITING, line(0), line(1), line(2), BUILT):
        feed.append(event)
    assert await everything(feed, "pod:1") == [line(2), BUILT]


async def test_a_phase_after_the_line_that_a_viewer_has_is_not_missed():
    feed = Feed()
    building = PhaseChanged(Phase.BUILDING, "building")
    for event in (WAITING, line(0), building, line(1), BUILT):
        feed.append(event)
    assert await everything(feed, "pod:0") == [building, line(1), BUILT]


@pytest.mark.parametrize("after", ["other:1", "nonsense", "pod:", ":1", "pod:-1", "pod:²"])
async def test_an_unknown_id_replays_from_the_start(after):
    feed = Feed()
    for event in (WAITING, line(0), BUILT):
        feed.append(event)
    assert await everything(feed, after) == [WAITING, line(0), BUILT]


async def test_no_line_comes_twice_although_the_log_is_read_anew():
    feed = Feed()
    feed.append(WAITING)
    reading = asyncio.create_task(everything(feed, "pod:2"))
    for event in (line(0), line(1), line(2), line(3), BUILT):
        await asyncio.sleep(0)
        feed.append(event)
    assert await reading == [WAITING, line(3), BUILT]


async def test_a_line_that_is_lost_is_taken_for_the_one_before_it():
    feed = Feed()
    missing = Gap("lines are missing")
    for event in (WAITING, line(0), missing, line(1_000_000), BUILT):
        feed.append(event)
    assert await everything(feed, "pod:7") == [missing, line(1_000_000), BUILT]


async def test_what_is_dropped_is_told_as_a_gap_and_the_phase_is_kept():
    feed = Feed(memory=2000)
    feed.append(WAITING)
    for index in range(100):
        feed.append(line(index))
    reader = feed.read()
    assert [type(await anext(reader)), await anext(reader)] == [Gap, WAITING]
    await reader.aclose()
    feed.append(BUILT)
    events = await everything(feed)
    gaps = [event for event in events if isinstance(event, Gap)]
    lines = [event.index for event in events if isinstance(event, LogLine)]
    assert len(gaps) == 1
    assert lines == list(range(lines[0], 100))
    assert len(lines) <= 13
    assert events[-1] == BUILT


async def test_memory_is_bounded_by_bytes_whatever_the_lines():
    feed = Feed(memory=100_000)
    for index in range(50):
        feed.append(LogLine("pod", index, "x" * 30_000))
    assert 2 <= feed.end - feed.first <= 5
    feed.append(LogLine("pod", 50, "x" * 1_000_000))
    assert feed.end - feed.first == 1


async def test_a_slow_viewer_learns_what_it_missed():
    feed = Feed(memory=1000)
    feed.append(WAITING)
    reader = feed.read()
    assert await anext(reader) == WAITING
    for index in range(40):
        feed.append(line(index))
    gap, phase, following = [await anext(reader) for _ in range(3)]
    assert isinstance(gap, Gap)
    assert phase == WAITING
    assert gap.message.startswith(f"{following.index} earlier")
    await reader.aclose()


class Shelf:
    """An archive with everything but what it was told to lose."""

    def __init__(self, *lost):
        self.events = []
        self.lost = lost
        self.away = False

    def take(self, feed):
        page = feed.slice(len(self.events), feed.end)
        assert page.first == len(self.events)
        self.events += page.events

    async def page(self, number):
        kept = [n for n in range(number, len(self.events)) if n not in self.lost]
        if self.away or not kept:
            return None
        first = kept[0]
        end = next((n for n in range(first, first + 5) if n not in kept), first + 5)
        return Page(first, tuple(self.events[first:end]))

    async def seek(self, source, index):
        if self.away:
            return None
        return max(
            (
                number
                for number, event in enumerate(self.events)
                if isinstance(event, LogLine) and (event.source, event.index) <= (source, index)
            ),
            default=None,
        )


def long_feed(*lost):
    """A hundred lines, of which a few are still in memory."""
    shelf = Shelf(*lost)
    feed = Feed(shelf, memory=2000)
    feed.append(WAITING)
    for index in range(100):
        feed.append(line(index))
        shelf.take(feed)
    return feed, shelf


async def test_a_late_viewer_gets_what_is_not_in_memory_from_the_archive():
    feed, _ = long_feed()
    feed.append(BUILT)
    assert feed.first > 50
    assert await everything(feed) == [WAITING, *map(line, range(100)), BUILT]
    assert await everything(feed, "pod:3") == [*map(line, range(4, 100)), BUILT]
    assert await everything(feed, "pod:98") == [line(99), BUILT]


async def test_a_hole_in_the_archive_is_one_gap():
    feed, _ = long_feed(11, 12, 13)
    feed.append(BUILT)
    events = await everything(feed)
    (gap,) = [event for event in events if isinstance(event, Gap)]
    assert gap.message.startswith("3 earlier")
    assert events[:13] == [WAITING, *map(line, range(10)), gap, line(13)]
    lines = [event.index for event in events if isinstance(event, LogLine)]
    assert lines == [*range(10), *range(13, 100)]


async def test_an_archive_that_is_away_is_a_gap():
    feed, shelf = long_feed()
    feed.append(BUILT)
    shelf.away = True
    gap, *rest = await everything(feed)
    assert isinstance(gap, Gap)
    assert rest == [*map(line, range(feed.first - 1, 100)), BUILT]


async def test_what_is_over_and_shelved_is_read_from_the_archive():
    feed, shelf = long_feed()
    feed.append(BUILT)
    shelf.take(feed)
    feed.shelve(feed.end)
    assert feed.end - feed.first == 1
    assert await everything(feed) == [WAITING, *map(line, range(100)), BUILT]


async def test_a_feed_goes_on_where_an_earlier_process_left_it():
    _, shelf = long_feed()
    feed = Feed(shelf, first=len(shelf.events), phase=WAITING)
    reading = asyncio.create_task(everything(feed, "pod:97"))
    for event in (line(100), BUILT):
        await asyncio.sleep(0)
        feed.append(event)
    assert await reading == [line(98), line(99), line(100), BUILT]


async def test_nothing_follows_the_terminal_event():
    feed = Feed()
    feed.append(BUILT)
    with pytest.raises(ValueError, match="terminal"):
        feed.append(line(0))


async def test_closing_ends_the_readers_of_a_build_that_goes_on():
    feed = Feed()
    feed.append(WAITING)
    reading = asyncio.create_task(everything(feed))
    await asyncio.sleep(0)
    feed.close()
    assert await reading == [WAITING]


async def test_a_thousand_viewers_see_the_same():
    feed = Feed()
    readings = [asyncio.create_task(everything(feed)) for _ in range(1000)]
    await asyncio.sleep(0)
    for event in (WAITING, *map(line, range(20)), BUILT):
        feed.append(event)
    seen = await asyncio.gather(*readings)
    assert all(events == seen[0] for events in seen)
    assert len(seen[0]) == 22
