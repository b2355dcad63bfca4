from __future__ import annotations

import asyncio
import threading

import pytest

from jupyterhub_imagebuilder.executors.docker.streams import stitched, streamed


class Source:
    """A blocking stream that a test feeds, or that never ends."""

    def __init__(self, items=(), *, hangs=False, error=None):
        self.items, self.hangs, self.error = items, hangs, error
        self.closed = threading.Event()

    def __iter__(self):
        yield from self.items
        if self.error:
            raise self.error
        if self.hangs:
            self.closed.wait(10)

    def close(self):
        self.closed.set()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "engine stream"]


async def test_everything_comes_in_order_however_much_it_is():
    found = [item async for item in streamed(lambda: Source(range(5000)))]

    assert found == list(range(5000))
    assert threads() == []


async def test_what_goes_wrong_is_raised_behind_what_came_before():
    stream = streamed(lambda: Source([1, 2], error=OSError("broken")))
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        await anext(stream)


async def test_a_stream_that_cannot_be_opened_raises():
    def opened():
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        await anext(streamed(opened))


@pytest.mark.parametrize("items", [[1], range(100_000)])
async def test_whoever_stops_reading_leaves_no_thread(items):
    source = Source(items, hangs=True)
    stream = streamed(lambda: source)
    assert await anext(stream) in (0, 1)

    await stream.aclose()

    assert source.closed.is_set()
    assert threads() == []


async def test_a_reader_that_is_cancelled_leaves_no_thread():
    source = Source([1], hangs=True)
    began = asyncio.Event()

    async def read():
        async for _ in streamed(lambda: source):
            began.set()

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert threads() == []


async def test_a_long_line_is_one_line():
    async def frames():
        for frame in (b"T1 short\n", b"T2 aaa", b"T2 bbb", b"T2 c\n", b"T3 T3 d\n", b"T3 e"):
            yield frame

    assert b"".join([chunk async for chunk in stitched(frames())]) == (
        b"T1 short\nT2 aaabbbc\nT3 T3 d\nT3 e"
    )
