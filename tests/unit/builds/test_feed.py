from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.feed import Feed
from jupyterhub_imagebuilder.builds.phases import Phase

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


@pytest.mark.parametrize(
    "after", ["other:1", "pod:99", "nonsense", "pod:", ":1", "pod:-1", "pod:²"]
)
async def test_an_unknown_id_replays_from_the_start(after):
    feed = Feed()
    for event in (WAITING, line(0), BUILT):
        feed.append(event)
    assert await everything(feed, after) == [WAITING, line(0), BUILT]


async def test_what_is_dropped_is_told_as_a_gap_and_the_phase_is_kept():
    feed = Feed(limit=10)
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


async def test_a_slow_viewer_learns_what_it_missed():
    feed = Feed(limit=4)
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
