"""Server-sent events (HTML Living Standard, section 9.2): frames, keepalives, back-pressure.

A viewer costs one coroutine that writes, one task that reads, and a buffer of bounded size; the
keepalives of all viewers are one task.  Nothing here knows what the events say.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

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

_LINE_END = re.compile(r"\r\n|\r|\n")
_KEEPALIVE = b":keepalive\n\n"

#: Sends bytes to the viewer and returns when they are on their way; OSError: the viewer is gone.
Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its data, and the id from which a viewer can resume."""

    data: str
    id: str | None = None

    def encode(self) -> bytes:
        """The frame as it goes over the wire."""
        lines = [f"data: {line}" for line in _LINE_END.split(self.data)]
        if self.id is not None:
            lines.insert(0, f"id: {self.id}")
        return ("\n".join(lines) + "\n\n").encode()


class EventStream:
    """The response to one viewer.

    The first frame goes out at once; what comes while bytes are on their way, or within one turn
    of the loop, goes out together.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._read_all = False
        self._quiet = True  # nothing was sent since the last beat
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """End the stream: the viewer is gone, or the service stops."""
        if not self._closed.done():
            self._closed.set_result(None)
        self._news.set()

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
        try:
            while await self._something_to_send():
                await self._write()
        finally:
            reader.cancel()
            await asyncio.wait([reader])
        if not reader.cancelled():
            reader.result()

    async def _read(self, frames: AsyncGenerator[Frame, None]) -> None:
        try:
            async with contextlib.aclosing(frames):
                async for frame in frames:
                    self._put(frame.encode())
                    while len(self._buffer) >= BUFFER_LIMIT:
                        self._room.clear()
                        await self._room.wait()
        finally:
            self._read_all = True
            self._news.set()

    def _put(self, data: bytes) -> None:
        self._buffer += data
        self._news.set()

    async def _something_to_send(self) -> bool:
        if not (self._buffer or self._read_all):
            await self._news.wait()
        self._news.clear()
        return bool(self._buffer) and not self._closed.done()

    async def _write(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._room.set()
        self._quiet = False
        sending = asyncio.ensure_future(self._send(data))
        try:
            # tornado never finishes a write whose viewer went away: closing has to end the wait
            await asyncio.wait([sending, self._closed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
        if sending.done() and not sending.cancelled() and (error := sending.exception()):
            if not isinstance(error, OSError):
                raise error
            self.close()


class Streams:
    """All open streams: their heartbeat, and their end when the service stops."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[EventStream] = set()
        self._stopped = False

    def open(self, send: Send) -> EventStream:
        """A new stream; :meth:`forget` it at its end."""
        stream = EventStream(send)
        self._open.add(stream)
        if self._stopped:
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
        """End all streams, and those that are still to come."""
        self._stopped = True
        for stream in tuple(self._open):
            stream.close()
