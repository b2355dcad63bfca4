from __future__ import annotations

import asyncio
import contextlib

import pytest
from tornado.iostream import StreamClosedError

from jupyterhub_imagebuilder.web import sse
from jupyterhub_imagebuilder.web.sse import EventStream, Frame, SharedFrames, Streams
from tests.unit.web.support import FakeClock, turns


class Viewer:
    """Takes what is sent, at once or when told."""

    def __init__(self):
        self.sent = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = False

    async def send(self, data):
        if self.gone:
            raise StreamClosedError
        self.sent.append(data)
        await self.reading.wait()


async def frames(*texts):
    for text in texts:
        yield Frame(text)


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (Frame('{"a": 1}'), b'data: {"a": 1}\n\n'),
        (Frame("x", "uid:7"), b"id: uid:7\ndata: x\n\n"),
        (Frame("one\ntwo\r\nthree\rfour"), b"data: one\ndata: two\ndata: three\ndata: four\n\n"),
        (Frame(""), b"data: \n\n"),
        (Frame("Größe \u2028"), "data: Größe \u2028\n\n".encode()),
    ],
)
def test_a_frame_on_the_wire(frame, wire):
    assert frame.encode() == wire


class TestSharedFrames:
    @pytest.fixture
    def made(self):
        return []

    @pytest.fixture
    def frames(self, made):
        def make(text):
            made.append(text)
            return Frame(text)

        return SharedFrames(make)

    def test_a_frame_is_made_once_for_all_viewers_of_an_event(self, frames, made):
        event = "x" * 10
        assert frames.of(event) is frames.of(event)
        assert frames.of(event).encode() == b"data: xxxxxxxxxx\n\n"
        assert made == [event]

    def test_an_equal_event_is_another_one(self, frames, made):
        one, other = ["same"], ["same"]
        shared = SharedFrames(lambda event: made.append(event) or Frame(event[0]))
        assert shared.of(one) is not shared.of(other)
        assert shared.of(one).encode() == shared.of(other).encode()
        assert made == [["same"], ["same"]]

    def test_only_the_newest_are_kept(self, frames, made, monkeypatch):
        monkeypatch.setattr(sse, "_SHARED", 2)
        for event in ("a", "b", "c", "c", "b", "a"):
            frames.of(event)
        assert made == ["a", "b", "c", "a"]

    def test_a_long_one_is_not_kept(self, frames, made):
        event = "x" * 10_000
        assert frames.of(event).encode() == frames.of(event).encode()
        assert made == [event, event]


async def test_a_fault_of_sending_comes_out():
    def send(_):
        raise LookupError("x")

    with pytest.raises(LookupError):
        await EventStream(send).run(frames("a"))


async def test_what_is_there_at_once_goes_out_together_and_the_stream_ends_with_its_frames():
    viewer = Viewer()
    await EventStream(viewer.send).run(frames("a", "b", "c"))
    assert viewer.sent == [b"data: a\n\ndata: b\n\ndata: c\n\n"]


async def test_the_last_of_it_goes_out_with_the_end_of_the_response():
    viewer, ends = Viewer(), []
    await EventStream(viewer.send, finish=ends.append).run(frames("a", "b"))
    assert (viewer.sent, ends) == ([], [b"data: a\n\ndata: b\n\n"])

    async def two():
        yield Frame("a")
        await turns()
        yield Frame("b")

    await EventStream(viewer.send, finish=ends.append).run(two())
    assert (viewer.sent, ends[1:]) == ([b"data: a\n\n"], [b"data: b\n\n"])


async def test_what_broke_off_is_not_taken_for_the_end():
    viewer, ends = Viewer(), []

    async def broken():
        yield Frame("a")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await EventStream(viewer.send, finish=ends.append).run(broken())
    assert (viewer.sent, ends) == ([b"data: a\n\n"], [])


async def test_a_farewell_is_not_taken_for_the_end_either():
    viewer, ends = Viewer(), []

    async def endless():
        yield Frame("a")
        await asyncio.Event().wait()

    stream = EventStream(viewer.send, Frame("bye"), ends.append)
    task = asyncio.create_task(stream.run(endless()))
    await turns()
    stream.stop()
    await task
    assert viewer.sent[-1] == b"data: bye\n\n"
    assert ends == []


async def test_the_first_frame_does_not_wait_for_the_second():
    viewer, more = Viewer(), asyncio.Event()

    async def two():
        yield Frame("first")
        await more.wait()
        yield Frame("second")

    stream = asyncio.create_task(EventStream(viewer.send).run(two()))
    await turns()
    assert viewer.sent == [b"data: first\n\n"]
    more.set()
    await stream
    assert viewer.sent == [b"data: first\n\n", b"data: second\n\n"]


async def test_a_slow_viewer_stops_the_reading_and_loses_nothing():
    viewer, read = Viewer(), []
    viewer.reading.clear()

    async def many():
        for n in range(100):
            read.append(n)
            yield Frame(str(n) + "x" * 8000)
            await asyncio.sleep(0)

    stream = asyncio.create_task(EventStream(viewer.send).run(many()))
    await turns(300)
    held = len(read)
    assert held * 8000 < 2 * sse.BUFFER_LIMIT + 8100
    viewer.reading.set()
    await stream
    assert len(read) == 100
    assert b"".join(viewer.sent).count(b"data: ") == 100


async def test_closing_ends_the_stream_and_the_generator():
    viewer, closed = Viewer(), []

    async def endless():
        try:
            yield Frame("first")
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    event_stream = EventStream(viewer.send)
    stream = asyncio.create_task(event_stream.run(endless()))
    await turns()
    event_stream.close()
    await stream
    assert closed == [True]


async def test_closing_ends_a_write_that_never_ends():
    viewer = Viewer()
    viewer.reading.clear()
    event_stream = EventStream(viewer.send)
    stream = asyncio.create_task(event_stream.run(frames("a")))
    await turns()
    assert viewer.sent
    event_stream.close()
    await asyncio.wait_for(stream, 1)


async def test_a_viewer_that_is_gone_ends_the_stream_quietly():
    viewer = Viewer()
    viewer.gone = True

    async def endless():
        while True:
            yield Frame("x")
            await asyncio.sleep(0)

    await asyncio.wait_for(EventStream(viewer.send).run(endless()), 1)
    assert viewer.sent == []


async def test_what_a_generator_raises_comes_out_behind_its_frames():
    viewer = Viewer()

    async def broken():
        yield Frame("a")
        raise LookupError("x")

    with pytest.raises(LookupError):
        await EventStream(viewer.send).run(broken())
    assert viewer.sent == [b"data: a\n\n"]


async def test_cancelling_is_passed_on_and_ends_the_reader():
    async def endless():
        await asyncio.Event().wait()
        yield Frame("never")

    stream = asyncio.create_task(EventStream(Viewer().send).run(endless()))
    await turns()
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream


async def test_a_farewell_is_the_last_frame_whatever_waits():
    viewer = Viewer()
    viewer.reading.clear()

    async def endless():
        yield Frame("a")
        await asyncio.Event().wait()
        yield Frame("never")

    stream = EventStream(viewer.send, Frame("bye"))
    task = asyncio.create_task(stream.run(endless()))
    await turns()
    stream.stop()
    stream.stop()
    await turns()
    assert not task.done()
    viewer.reading.set()
    await task
    assert b"".join(viewer.sent) == b"data: a\n\ndata: bye\n\n"


async def test_frames_that_have_ended_get_no_farewell():
    viewer = Viewer()
    viewer.reading.clear()

    async def one():
        yield Frame("done")

    stream = EventStream(viewer.send, Frame("bye"))
    task = asyncio.create_task(stream.run(one()))
    await turns()
    stream.stop()
    viewer.reading.set()
    await task
    assert b"".join(viewer.sent) == b"data: done\n\n"


async def test_a_farewell_to_a_viewer_that_is_gone():
    async def gone(data):
        raise ConnectionResetError

    async def endless():
        await asyncio.Event().wait()
        yield Frame("never")

    stream = EventStream(gone, Frame("bye"))
    task = asyncio.create_task(stream.run(endless()))
    await turns()
    stream.stop()
    await task
    stream.stop()


class TestStreams:
    @pytest.fixture
    async def clock(self):
        return FakeClock()

    @pytest.fixture
    async def streams(self, clock):
        streams = Streams(clock)
        beat = asyncio.create_task(streams.beat_forever())
        await turns()
        yield streams
        beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat

    async def test_a_quiet_stream_gets_a_comment_within_25_seconds_for_ever(self, streams, clock):
        viewer, more = Viewer(), asyncio.Event()

        async def one():
            await more.wait()
            yield Frame("late")

        stream = streams.open(viewer.send)
        task = asyncio.create_task(stream.run(one()))
        await turns()
        for count in range(1, 5):
            await clock.advance(25.0)
            assert len(viewer.sent) >= count
        assert set(viewer.sent) == {b":keepalive\n\n"}
        more.set()
        await task
        assert viewer.sent[-1] == b"data: late\n\n"

    async def test_a_stream_that_says_something_gets_none(self, streams, clock):
        viewer, more = Viewer(), asyncio.Semaphore(0)

        async def often():
            for n in range(4):
                await more.acquire()
                yield Frame(str(n))

        task = asyncio.create_task(streams.open(viewer.send).run(often()))
        await turns()
        for _ in range(4):
            more.release()
            await turns()
            await clock.advance(sse.BEAT)
        await task
        assert b":keepalive" not in b"".join(viewer.sent)

    async def test_no_comment_waits_for_a_viewer_that_does_not_read(self, streams, clock):
        viewer = Viewer()
        viewer.reading.clear()

        async def two():
            yield Frame("a")
            await asyncio.sleep(0)
            yield Frame("b")
            await asyncio.Event().wait()

        stream = streams.open(viewer.send)
        task = asyncio.create_task(stream.run(two()))
        await turns()
        for _ in range(5):
            await clock.advance(sse.BEAT)
        viewer.reading.set()
        await turns()
        assert b"".join(viewer.sent) == b"data: a\n\ndata: b\n\n"
        stream.close()
        await task

    async def test_stop_ends_all_streams_and_those_to_come(self, streams):
        async def endless():
            await asyncio.Event().wait()
            yield Frame("never")

        opened = [streams.open(Viewer().send) for _ in range(3)]
        tasks = [asyncio.create_task(stream.run(endless())) for stream in opened]
        await turns()
        assert len(streams) == 3
        streams.stop()
        late = streams.open(Viewer().send)
        await asyncio.wait_for(asyncio.gather(*tasks, late.run(endless())), 1)
        for stream in (*opened, late):
            streams.forget(stream)
        assert len(streams) == 0

    async def test_who_comes_late_is_told_by_the_frames_themselves(self, streams):
        async def refusal():
            yield Frame("the service stops")

        streams.stop()
        viewer = Viewer()
        stream = streams.open(viewer.send, Frame("bye"))
        await asyncio.wait_for(stream.run(refusal()), 1)
        assert viewer.sent == [b"data: the service stops\n\n"]
