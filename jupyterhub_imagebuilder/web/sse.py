"""Server-sent events (HTML Living Standard, section 9.2): frames, keepalives, back-pressure.

A viewer costs one coroutine that writes, one task that reads, and a buffer of bounded size; the
keepalives of all viewers are one task.  Nothing here knows what the events say.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

from jupyterhub_imagebuilder.builds.ports import Clock

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    # nginx collects a response unless it is told not to
    "X-Accel-Buffering": "no",
}
#: A proxy cuts what is silent for a minute.  Two beats lie between two comments at most, which
#: keeps them below the 25 seconds that are promised.
BEAT = 12.0
#: Bytes that wait for a slow viewer; beyond it, reading stops until they are sent.
BUFFER_LIMIT = 64 * 1024
#: Frames that are kept for further viewers, and the bytes that one of them may have.
_SHARED, _SHARED_SIZE = 512, 8 * 1024

_LINE_END = re.compile(r"\r\n|\r|\n")
_KEEPALIVE = b":keepalive\n\n"

E = TypeVar("E")

#: Sends bytes to the viewer and returns when they are on their way; OSError: the viewer is gone.
Send = Callable[[bytes], Awaitable[None]]
#: Sends bytes and ends the response, without waiting.
Finish = Callable[[bytes], object]


class Frame:
    """One event: its data, and the id from which a viewer can resume.

    :param data: what the event says, in any number of lines.
    """

    __slots__ = ("_wire",)

    def __init__(self, data: str, id: str | None = None) -> None:  # noqa: A002 -- the standard's word
        lines = [f"data: {line}" for line in _LINE_END.split(data)]
        if id is not None:
            lines.insert(0, f"id: {id}")
        self._wire = ("\n".join(lines) + "\n\n").encode()

    def encode(self) -> bytes:
        """The frame as it goes over the wire."""
        return self._wire


class SharedFrames(Generic[E]):
    """Makes the frame of an event once for all viewers that come to it at about the same time.

    :param make: makes one.
    """

    def __init__(self, make: Callable[[E], Frame]) -> None:
        self._make = make
        self._recent: dict[int, tuple[E, Frame]] = {}  # the event is kept: its id stays its own

    def of(self, event: E) -> Frame:
        """The frame of this very event."""
        found = self._recent.get(id(event))
        if found is not None:
            return found[1]
        frame = self._make(event)
        if len(frame.encode()) <= _SHARED_SIZE:
            if len(self._recent) >= _SHARED:
                del self._recent[next(iter(self._recent))]
            self._recent[id(event)] = event, frame
        return frame


class EventStream:
    """The response to one viewer.

    The first frame goes out at once; what comes while bytes are on their way, or within one turn
    of the loop, goes out together.

    :param farewell: sent as the last frame where the service stops before the others end.
    :param finish: takes what is left when there is nothing more to read, so that a short answer
        is one packet; without it, that is sent like the rest.
    """

    def __init__(
        self, send: Send, farewell: Frame | None = None, finish: Finish | None = None
    ) -> None:
        self._send = send
        self._farewell = farewell
        self._finish = finish
        self._reader: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._busy = False  # a write is on its way, or about to begin
        self._sending: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None  # there while reading waits for it
        self._read_all = False
        self._complete = False  # and all of it was there to be read
        self._quiet = True  # nothing was sent since the last beat
        self._over: asyncio.Future[None] = self._loop.create_future()

    def close(self) -> None:
        """End the stream: the viewer is gone, or need not be told anything."""
        if not self._over.done():
            self._over.set_result(None)

    def stop(self) -> None:
        """End the stream with its farewell: the service stops."""
        if self._farewell is None:
            self.close()
        elif self._reader is not None and not (self._read_all or self._reader.cancelling()):
            self._reader.cancel()
            self._put(self._farewell.encode())

    def beat(self) -> None:
        """Send a comment if nothing was sent since the last beat."""
        if self._quiet and not self._buffer and not self._read_all:
            self._put(_KEEPALIVE)
        self._quiet = True

    async def run(self, frames: AsyncGenerator[Frame, None]) -> None:
        """Send frames until they end or the stream is closed; the generator is closed then.

        :raises Exception: what the generator raised, after the frames before it were sent.
        """
        reader = asyncio.create_task(self._read(frames), name="event stream reader")
        self._reader = reader
        try:
            # closing has to end the wait for a write, which tornado never ends by itself when
            # the viewer has gone away
            await self._over
        finally:
            reader.cancel()
            if self._sending is not None:
                self._sending.cancel()
            await asyncio.wait([reader])
        if not reader.cancelled():
            reader.result()

    async def _read(self, frames: AsyncGenerator[Frame, None]) -> None:
        try:
            async with contextlib.aclosing(frames):
                async for frame in frames:
                    self._put(frame.encode())
                    while len(self._buffer) >= BUFFER_LIMIT:
                        self._room = self._loop.create_future()
                        await self._room
            self._complete = True
        finally:
            self._read_all = True
            self._wake()

    def _put(self, data: bytes) -> None:
        self._buffer += data
        self._wake()

    def _wake(self) -> None:
        """Write in the next turn of the loop, unless a write is on its way already."""
        if not self._busy:
            self._busy = True
            # a callback and no task of its own: this happens for each line and viewer
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._busy = False
        if self._over.done():
            return
        if not self._buffer:
            if self._read_all:
                self.close()
            return
        data = bytes(self._buffer)
        self._buffer.clear()
        self._quiet = False
        self._busy = True
        try:
            if self._complete and self._finish is not None:
                # nobody waits for this write: closing could not end it
                self._finish(data)
                self.close()
                return
            self._sending = asyncio.ensure_future(self._send(data))
        except Exception as error:  # noqa: BLE001 -- run() raises it
            self._failed(error)
            return
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if self._sending.done():
            self._sent(self._sending)
        else:
            self._sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Future[None]) -> None:
        self._busy, self._sending = False, None
        if sending.cancelled():
            return
        if error := sending.exception():
            self._failed(error)
        elif self._buffer or self._read_all:
            self._wake()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, OSError):
            self.close()  # the viewer is gone
        elif not self._over.done():
            self._over.set_exception(error)


class Streams:
    """All open streams: their heartbeat, and their end when the service stops."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[EventStream] = set()
        self._stopped = False

    def open(
        self, send: Send, farewell: Frame | None = None, finish: Finish | None = None
    ) -> EventStream:
        """A new stream; :meth:`forget` it at its end.

        :param farewell: see :class:`EventStream`, and ``finish``.
        """
        stream = EventStream(send, farewell, finish)
        self._open.add(stream)
        if self._stopped and farewell is None:
            stream.close()
        return stream

    def forget(self, stream: EventStream) -> None:
        """The stream has ended."""
        self._open.discard(stream)

    def __len__(self) -> int:
        return len(self._open)

    async def beat_forever(self) -> None:
        """Keep quiet streams alive; its owner cancels it."""
        while True:
            await self._clock.sleep(BEAT)
            for stream in tuple(self._open):
                stream.beat()

    def stop(self) -> None:
        """End all streams, and those that are still to come.

        One that has a farewell and begins later is not cut off: it says by itself, and at once,
        that nothing can be done any more.
        """
        self._stopped = True
        for stream in tuple(self._open):
            stream.stop()
