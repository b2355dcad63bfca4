from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.executors.kubernetes.logs import ROTATED, UNREADABLE, LogReader, parse

from .clock import ManualClock, settle

RESET = ApiError("connection reset")


def line(number, text=None):
    text = f"line {number}" if text is None else text
    return f"2026-01-01T00:00:{number:02d}.000000000Z {text}\n".encode()


async def stream(*chunks):
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


class Kubelet:
    """Serves a list of streams, one per request; the last lines of what it holds for ``tail``."""

    def __init__(self, *streams, kept=()):
        self.streams = list(streams)
        self.kept = list(kept)
        self.opened = []
        self.over = asyncio.Event()

    def open(self, follow, tail):
        self.opened.append((follow, tail))
        if tail is not None:
            return stream(*self.kept[-tail:])
        found = self.streams[0]
        if len(self.streams) > 1:
            self.streams.pop(0)
        else:
            self.over.set()
        return stream(*found)

    async def read(self, clock=None):
        clock = clock or ManualClock()
        reader = LogReader(self.open, self.over, clock)
        found = []

        async def consume():
            found.extend([item async for item in reader.records()])

        reading = asyncio.create_task(consume())
        for _ in range(40):
            await clock.advance(5)
        assert reading.done()
        await reading
        return [item.message if isinstance(item, Gap) else item.text for item in found]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_chunks_of_any_size_are_lines(size):
    data = line(1, "Grüße \U0001f600") + line(2, "") + line(3, "a b")
    chunks = [data[i : i + size] for i in range(0, len(data), size)]

    found = [record.text async for record in parse(stream(*chunks))]

    assert found == ["Grüße \U0001f600", "", "a b"]


async def test_bytes_of_any_kind_are_text():
    found = [record.text async for record in parse(stream(line(1)[:-1] + b"\xff\xfe\n"))]

    assert found == ["line 1\ufffd\ufffd"]


async def test_a_very_long_line_is_one_line():
    text = "x" * 3_000_000
    data = line(1, text)
    chunks = [data[i : i + 65536] for i in range(0, len(data), 65536)]

    assert [record.text async for record in parse(stream(*chunks))] == [text]


async def test_the_kubelets_own_words_are_no_line():
    found = [r.text async for r in parse(stream(b"failed to resolve symlink\n", line(1)))]

    assert found == ["line 1"]


async def test_one_stream_and_its_last_record_are_enough():
    lines = [line(1), line(2)]
    kubelet = Kubelet(lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]
    assert kubelet.opened == [(True, None), (False, 1)]


async def test_a_burst_that_the_stream_lost_is_read_again():
    lines = [line(1), line(2), line(3)]
    kubelet = Kubelet(lines[:1], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2", "line 3"]


async def test_a_broken_stream_is_taken_up_where_it_broke():
    lines = [line(1), line(2), line(3)]
    kubelet = Kubelet([line(1), line(2)[:-5], RESET], [RESET], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2", "line 3"]


async def test_a_stream_that_ended_in_a_line_does_not_cut_it():
    lines = [line(1), line(2)]
    kubelet = Kubelet([line(1), line(2)[:-3]], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_last_line_without_its_end_is_a_line():
    lines = [line(1), line(2)[:-1]]
    kubelet = Kubelet(lines, lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_rotation_within_what_was_read_loses_nothing():
    kubelet = Kubelet(
        [line(1), line(2), line(3), RESET],
        [line(2), line(3), line(4)],
        kept=[line(4)],
    )

    assert await kubelet.read() == ["line 1", "line 2", "line 3", "line 4"]


async def test_rotation_beyond_it_is_told():
    kubelet = Kubelet([line(1), RESET], [line(5), line(6)], kept=[line(6)])

    assert await kubelet.read() == ["line 1", ROTATED, "line 5", "line 6"]


async def test_it_goes_on_after_a_rotation_and_another_break():
    kubelet = Kubelet(
        [line(1), RESET],
        [line(5), line(6), RESET],
        [line(5), line(6), line(7)],
        kept=[line(7)],
    )

    assert await kubelet.read() == ["line 1", ROTATED, "line 5", "line 6", "line 7"]


async def test_a_container_without_a_word_has_an_empty_log():
    kubelet = Kubelet([])

    assert await kubelet.read() == []


async def test_a_log_that_cannot_be_read_to_its_end_says_so():
    kubelet = Kubelet([line(1), RESET], *[[RESET]] * 8)

    found = await kubelet.read()

    assert found == ["line 1", UNREADABLE]


@pytest.mark.parametrize("code", [403, 404])
async def test_a_refusal_is_the_callers(code):
    kubelet = Kubelet([ApiError("no", code)])
    reader = LogReader(kubelet.open, kubelet.over, ManualClock())

    with pytest.raises(ApiError) as refused:
        [item async for item in reader.records()]

    assert refused.value.code == code


async def test_the_end_of_a_stream_is_not_the_end_of_the_log():
    clock = ManualClock()
    kubelet = Kubelet([line(1)], [line(1), line(2)], [line(1), line(2)], kept=[line(2)])
    reader = LogReader(kubelet.open, asyncio.Event(), clock)
    found = []

    async def consume():
        found.extend([item async for item in reader.records()])

    reading = asyncio.create_task(consume())
    await clock.advance(4)
    assert not reading.done()
    await clock.advance(4)
    reader._over.set()
    await settle()
    await clock.advance(10)

    assert reading.done()
    assert [record.text for record in found] == ["line 1", "line 2"]
