"""What a blocking library tells piece by piece, for those who must not block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

#: Items that a thread may be ahead of its reader.
_AHEAD = 256
#: Seconds that a thread may take to end once its reader has gone.
_PATIENCE = 5.0


class _Pump:
    """A thread that reads a stream, and hands over what it reads."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.room = threading.Semaphore(_AHEAD)
        self.ended = asyncio.Event()
        self.error: BaseException | None = None
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._unwanted = False
        # a daemon: an engine that hangs must not keep the process from ending
        self._thread = threading.Thread(target=self._run, name="engine stream", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """End the thread, which may wait for the engine, or for its reader."""
        with self._lock:
            self._unwanted = True
            stream = self._stream
        self.room.release()
        if not self.ended.is_set():
            if stream is None:
                return  # the engine has not answered yet; when it does, nobody listens
            with contextlib.suppress(Exception):  # of a connection that is closed already
                stream.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.ended.wait()
                self._thread.join(_PATIENCE)  # it has nothing left to do

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            stream = self._opened()
            with self._lock:
                self._stream = stream
                items = () if self._unwanted else stream
            for item in items:
                self.room.acquire()
                if self._unwanted:
                    break
                self._loop.call_soon_threadsafe(self.items.put_nowait, item)
        except BaseException as raised:  # noqa: BLE001 -- it is the reader's
            error = raised
        finally:
            if self._stream is not None:
                with contextlib.suppress(Exception):  # of a connection that is closed already
                    self._stream.close()
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                self._loop.call_soon_threadsafe(self._finish, error)

    def _finish(self, error: BaseException | None) -> None:
        self.error = error
        self.ended.set()
        self.items.put_nowait(_END)


_END = object()


async def streamed(opened: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """Items of a blocking stream, read in a thread of its own.

    :param opened: gives the stream, an iterable with ``close``; runs in that thread.  What it
        raises, and what the stream does, is raised here.
    """
    pump = _Pump(opened)
    pump.start()
    try:
        while (item := await pump.items.get()) is not _END:
            pump.room.release()
            yield item
        if pump.error is not None:
            raise pump.error
    finally:
        await pump.stop()


async def stitched(frames: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """A log without the times that stand inside of long lines.

    The engine keeps a line of more than 16 KiB in parts, one frame each, and puts the time of the
    first part before all of them.
    """
    time = b""  # of a line that goes on
    async for frame in frames:
        yield frame[len(time) :] if time and frame.startswith(time) else frame
        time = b"" if frame.endswith(b"\n") else frame[: frame.find(b" ") + 1]
