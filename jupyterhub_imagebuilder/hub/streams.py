"""One stream per build, whoever waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageBuilderError

log = logging.getLogger(__name__)

#: Lines that are kept for progress pages; the service keeps them all.
_KEPT: Final = 2000


class EventSource(Protocol):
    """What a stream reads from."""

    def events(self, build_id: str) -> AsyncGenerator[Event, None]:
        """The build's events from its first."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the progress page."""

    text: str
    source: str = ""  #: empty where it has no place in a log, as a phase's message
    index: int = 0


class BuildStream:
    """The events of one build, kept for many readers."""

    def __init__(self) -> None:
        self.phase = Phase.WAITING
        self.end: PhaseChanged | None = None  #: the terminal event, once there was one
        self.readers = 0
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._count = 0
        self._over = asyncio.Event()

    async def over(self) -> PhaseChanged | None:
        """Wait for the terminal event; None when the stream broke off before it."""
        await self._over.wait()
        return self.end

    @property
    def broken(self) -> bool:
        """Whether it ended without a terminal event."""
        return self._over.is_set() and self.end is None

    def since(self, position: int) -> tuple[list[Line], int, int]:
        """Lines from a position on: they, how many are lost before them, and the next position."""
        first = self._count - len(self._lines)
        lost = max(0, first - position)
        lines = list(self._lines)[max(0, position - first) :]
        return lines, lost, self._count

    def add(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case LogLine():
                self.phase = event.phase or self.phase
                self._append(Line(event.text, event.source, event.index))
            case Gap():
                self._append(Line(event.message))
            case PhaseChanged():
                self.phase = event.phase
                if event.message:
                    self._append(Line(event.message))
                if event.phase.terminal:
                    self.end = event

    async def read(self, source: EventSource, build_id: str) -> None:
        """Read until the end, whichever it is."""
        try:
            async with aclosing(source.events(build_id)) as events:
                async for event in events:
                    self.add(event)
                    if self.end is not None:
                        break
        except ImageBuilderError as error:
            log.debug("Lost the stream of build %s: %s", build_id, error.message)
        except Exception:
            log.exception("Lost the stream of build %s", build_id)
        finally:
            self._over.set()

    def _append(self, line: Line) -> None:
        self._lines.append(line)
        self._count += 1


class BuildStreams:
    """The streams that this hub process has open: each ends with its last reader."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._open: dict[str, BuildStream] = {}
        self._tasks: dict[BuildStream, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def follow(self, build_id: str) -> AsyncIterator[BuildStream]:
        """Read a build's stream, together with everyone else who does."""
        stream = self._open.get(build_id)
        # one that broke off has nothing more to say: whoever comes now reads a new one
        if stream is None or stream.broken:
            stream = self._start(build_id)
        stream.readers += 1
        try:
            yield stream
        finally:
            stream.readers -= 1
            if stream.readers == 0:
                await self._stop(build_id, stream)

    def _start(self, build_id: str) -> BuildStream:
        stream = self._open[build_id] = BuildStream()
        self._tasks[stream] = asyncio.create_task(
            stream.read(self._source, build_id), name=f"imagebuilder stream {build_id}"
        )
        return stream

    async def _stop(self, build_id: str, stream: BuildStream) -> None:
        if self._open.get(build_id) is stream:
            del self._open[build_id]
        task = self._tasks.pop(stream)
        task.cancel()
        # unlike awaiting the task, this lets a cancellation of our own through
        await asyncio.wait([task])
