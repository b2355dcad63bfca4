from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.executors.silence import Silence
from tests.unit.executors.kubernetes.clock import ManualClock, settle


@pytest.fixture
async def world():
    clock = ManualClock()
    tasks = []

    def listen(silence):
        """A stream: what is put into it arrives, None ends it."""
        queue = asyncio.Queue()

        async def chunks():
            while (chunk := await queue.get()) is not None:
                yield chunk

        async def consume():
            return [chunk async for chunk in silence.listen(chunks())]

        tasks.append(asyncio.create_task(consume()))
        return queue

    yield clock, Silence(clock), listen
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_only_a_stream_that_gave_something_counts(world):
    clock, silence, listen = world
    stream = listen(silence)
    await clock.advance(100)
    assert silence.seconds == 0

    stream.put_nowait(b"x")
    await settle()
    await clock.advance(10)
    assert silence.seconds == 10

    stream.put_nowait(None)
    await settle()
    await clock.advance(100)
    assert silence.seconds == 10


async def test_streams_add_up_and_a_record_begins_anew(world):
    clock, silence, listen = world
    for _ in range(2):
        stream = listen(silence)
        stream.put_nowait(b"x")
        await settle()
        await clock.advance(20)
        stream.put_nowait(None)
        await settle()
    assert silence.seconds == 40

    silence.broken()
    assert silence.seconds == 0

    stream = listen(silence)
    stream.put_nowait(b"x")
    await settle()
    await clock.advance(5)
    silence.broken()
    await clock.advance(7)
    assert silence.seconds == 7
