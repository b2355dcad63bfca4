from __future__ import annotations

import asyncio
import gc

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ServiceUnavailable
from jupyterhub_imagebuilder.hub.streams import LINE_LENGTH, BuildStreams

WAITING = PhaseChanged(Phase.WAITING, "Waiting for the build to start")
BUILDING = PhaseChanged(Phase.BUILDING, "Building the image")
BUILT = PhaseChanged(Phase.BUILT, "The image is built", None, "i:1", "sha256:a")


def line(index, text=None, phase=None):
    return LogLine("uid", index, text or f"line {index}", phase)


class Source:
    """Plays one script per connection: events; ``None`` is a connection that breaks."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.asked = []

    async def events(self, build_id, after=None):
        self.asked.append((build_id, after))
        for event in self.scripts.pop(0):
            if event is None:
                raise ServiceUnavailable("gone")
            yield event


async def read(source, *, build_ids=("b1",) * 10):
    """Follow as a wait does, until there is an end; every text that a page could see."""
    streams = BuildStreams(source)
    for build_id in build_ids:
        async with streams.follow(build_id) as stream:
            if await stream.over():
                break
    return [each.text for each in stream.since(0)[0]], stream


async def test_a_broken_stream_is_read_on_behind_its_last_line():
    source = Source([WAITING, BUILDING, line(0), line(1), None], [None], [BUILDING, line(2), BUILT])
    texts, _ = await read(source)
    assert source.asked == [("b1", None), ("b1", "uid:1"), ("b1", "uid:1")]
    assert texts == [
        WAITING.message,
        BUILDING.message,
        "line 0",
        "line 1",
        "line 2",
        BUILT.message,
    ]


async def test_what_a_service_replays_from_the_start_is_told_once():
    queued = PhaseChanged(Phase.WAITING, "Waiting in the queue, at position 1.")
    told = [queued, WAITING, BUILDING, line(0), line(1)]
    source = Source([*told[:1], None], [*told, None], [*told, Gap("lost"), line(5), BUILT])
    texts, _ = await read(source)
    assert texts == [
        *(queued.message, WAITING.message, BUILDING.message),
        *("line 0", "line 1", "lost", "line 5", BUILT.message),
    ]


async def test_the_same_message_can_come_again_while_the_stream_lasts():
    first, second = (PhaseChanged(Phase.WAITING, text) for text in ("Third.", "Second."))
    texts, _ = await read(Source([first, second, first, BUILT]))
    assert texts == ["Third.", "Second.", "Third.", BUILT.message]


async def test_phases_move_forward_only():
    source = Source([line(0, phase=Phase.PUSHING), line(1, phase=Phase.FETCHING), BUILDING, None])
    texts, stream = await read(source, build_ids=["b1"])
    assert (texts, stream.phase) == (["line 0", "line 1"], Phase.PUSHING)


async def test_another_build_begins_anew():
    source = Source([line(0), None], [line(0), BUILT])
    texts, _ = await read(source, build_ids=["b1", "b2"])
    assert source.asked == [("b1", None), ("b2", None)]
    assert texts == ["line 0", BUILT.message]


async def test_an_end_without_a_result_is_asked_for_anew():
    streams = BuildStreams(Source([line(0), BUILT], [line(0), BUILT]))
    async with streams.follow("b1") as first:
        assert await first.over() == BUILT
    async with streams.follow("b1") as second:
        assert await second.over() == BUILT
    assert second is not first


@pytest.mark.timeout(5)
async def test_many_readers_share_what_is_read_on():
    source = Source([line(0), None], [line(1), BUILT])
    streams = BuildStreams(source)
    seen = []

    async def wait():
        while True:
            async with streams.follow("b1") as stream:
                if await stream.over():
                    seen.append([each.text for each in stream.since(0)[0]])
                    return

    await asyncio.gather(*(wait() for _ in range(20)))
    assert seen == [["line 0", "line 1", BUILT.message]] * 20
    assert source.asked == [("b1", None), ("b1", "uid:0")]


async def test_a_long_line_costs_the_hub_little():
    texts, _ = await read(Source([line(0, "x" * 100_000), BUILT]))
    assert texts == ["x" * LINE_LENGTH, BUILT.message]


async def test_who_comes_late_shares_what_broke_off():
    source = Source([WAITING, line(0), None], [line(1), BUILT])
    streams = BuildStreams(source)
    async with streams.follow("b1") as first:
        assert await first.over() is None
    async with streams.follow("b1") as late:
        assert await late.over() == BUILT
    assert late is first
    assert [each.text for each in late.since(0)[0]] == [
        *(WAITING.message, "line 0", "line 1", BUILT.message)
    ]


async def test_a_stream_that_nobody_has_is_forgotten():
    streams = BuildStreams(Source([line(0), None]))
    async with streams.follow("b1") as stream:
        await stream.over()
    assert list(streams._known) == ["b1"]
    del stream
    gc.collect()
    assert (list(streams._known), streams._tasks) == ([], {})
