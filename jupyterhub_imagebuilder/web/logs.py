"""A build's log as plain text, for ``curl`` and for keeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import BuildNotFound, StoreUnavailable
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.operations import TEXT, Answer, Operation, describes

#: Bytes that wait for a client that reads slowly; beyond it, reading stops until they are sent.
_BUFFER = 64 * 1024


class LogHandler(Handler):
    """``/api/builds/<id>/log``."""

    _sending: asyncio.Task[None] | None = None

    @describes(
        Operation(
            summary="Get a build's log as text, to its end",
            answers={
                200: Answer(
                    "The lines; what is missing, and why there is no image, in brackets.",
                    media=TEXT,
                )
            },
            errors=(BuildNotFound, StoreUnavailable),
        )
    )
    async def get(self, build_id: str) -> None:
        """Send the log so far, then live, until the build is over."""
        owner = (await self.principal()).owner
        build = await self.backend.ready().get(build_id, owner)
        self.set_header("Content-Type", f"{TEXT}; charset=utf-8")
        # nginx collects a response unless it is told not to
        self.set_header("X-Accel-Buffering", "no")
        self._sending = asyncio.create_task(self._send(text_lines(build)), name="log as text")
        try:
            await asyncio.wait((self._sending,))
        finally:
            self._sending.cancel()
        if not self._sending.cancelled():
            self._sending.result()

    def on_connection_close(self) -> None:
        """Stop reading: the client is gone."""
        # a write to who is gone may never end by itself
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, lines: AsyncGenerator[str, None]) -> None:
        """Read and write at the same time, so that many lines go out together."""
        buffer = Buffer()
        reading = asyncio.create_task(buffer.fill(lines), name="log as text, reader")
        try:
            await self.flush()  # the headers: there may be nothing to say for a while
            while data := await buffer.take():
                self.write(data)
                await self.flush()
            await reading
        finally:
            reading.cancel()
            await asyncio.wait((reading,))


class Buffer:
    """Text on its way from one task to another, never much of it."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False

    async def fill(self, lines: AsyncGenerator[str, None]) -> None:
        """Put lines in until they end; wait where there are too many."""
        try:
            async with aclosing(lines):
                async for line in lines:
                    self._data += f"{line}\n".encode(errors="replace")
                    self._news.set()
                    while len(self._data) >= _BUFFER:
                        self._room.clear()
                        await self._room.wait()
        finally:
            self._ended = True
            self._news.set()

    async def take(self) -> bytes:
        """All that is there; waits where nothing is, and is empty at the end."""
        while not self._data and not self._ended:
            self._news.clear()
            await self._news.wait()
        data = bytes(self._data)
        self._data.clear()
        self._room.set()
        return data


async def text_lines(build: Build) -> AsyncGenerator[str, None]:
    """A build's log, line by line."""
    events = cast("AsyncGenerator[Event, None]", build.events())
    async with aclosing(events):
        async for event in events:
            if isinstance(event, LogLine):
                yield event.text
            elif isinstance(event, Gap):
                yield f"[{event.message}]"
            elif event.phase.terminal and event.phase is not Phase.BUILT:
                yield f"[{event.phase.value}: {event.message}]"
