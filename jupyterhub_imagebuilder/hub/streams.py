"""One stream per build, whoever waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol
from weakref import WeakValueDictionary

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase, may_follow
from jupyterhub_imagebuilder.errors import ImageBuilderError

log = logging.getLogger(__name__)

#: Lines that are kept for progress pages; the service keeps them all.
_KEPT: Final = 2000
#: Characters of a line that are kept for them: the hub's memory is not a log's to fill.
LINE_LENGTH: Final = 1000


class EventSource(Protocol):
    """What a stream reads from."""

    def events(self, build_id: str, after: str | None = None) -> AsyncGenerator[Event, None]:
        """The build's events, from its first or behind the line of that id."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the progress page."""

    text: str
    source: str = ""  #: empty where it has no place in a log, as a phase's message
    index: int = 0


class BuildStream:
    """The events of one build, kept for many readers.

    It outlives a broken connection: what is told once more on the next one is left out.
    """

    def __init__(self, build_id: str = "") -> None:
        self.build_id = build_id
        self.phase = Phase.WAITING
        self.end: PhaseChanged | None = None  #: the terminal event, once there was one
        self.readers = 0
        self._last: str | None = None  # id of the newest line
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._count = 0
        self._indices: dict[str, int] = {}  # of the newest line, by source
        self._told: set[str] = set()  # messages of this phase
        self._again = False  # what comes may have come before
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

    def reopen(self) -> None:
        """Be read on, after it broke off."""
        self._over.clear()
        self._again = True

    def add(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case LogLine():
                self._add_line(event)
            case Gap():
                self._append(Line(event.message))
            case PhaseChanged():
                if self._is_news(event) and event.message:
                    self._append(Line(event.message))
                if event.phase.terminal:
                    self.end = event

    async def read(self, source: EventSource) -> None:
        """Read until the end, whichever it is, from where it broke off before."""
        try:
            async with aclosing(source.events(self.build_id, self._last)) as events:
                async for event in events:
                    self.add(event)
                    if self.end is not None:
                        break
        except ImageBuilderError as error:
            log.debug("Lost the stream of build %s: %s", self.build_id, error.message)
        except Exception:
            log.exception("Lost the stream of build %s", self.build_id)
        finally:
            self._over.set()

    def _add_line(self, line: LogLine) -> None:
        if line.source:
            if line.index <= self._indices.get(line.source, -1):
                return
            self._indices[line.source] = line.index
            self._last = line.id
        self._again = False
        if line.phase is not None:
            self._enter(line.phase)
        self._append(Line(line.text, line.source, line.index))

    def _is_news(self, event: PhaseChanged) -> bool:
        """Whether a phase's message was not told before; what a new connection repeats was."""
        if event.phase is not self.phase:
            if not may_follow(self.phase, event.phase):
                return False
            self._enter(event.phase)
        elif self._again and event.message in self._told:
            return False
        self._again = False
        self._told.add(event.message)
        return True

    def _enter(self, phase: Phase) -> None:
        if may_follow(self.phase, phase):
            self.phase = phase
            self._told.clear()

    def _append(self, line: Line) -> None:
        self._lines.append(replace(line, text=line.text[:LINE_LENGTH]))
        self._count += 1


class BuildStreams:
    """The streams that this hub process has open: each ends with its last reader."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        # what broke off is here for as long as a start waits for it, or a page shows it
        self._known: WeakValueDictionary[str, BuildStream] = WeakValueDictionary()
        self._tasks: dict[BuildStream, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def follow(self, build_id: str) -> AsyncIterator[BuildStream]:
        """Read a build's stream, together with everyone else who does.

        One that broke off is read on.
        """
        stream = self._known.get(build_id)
        if stream is None or (stream.end is not None and stream not in self._tasks):
            stream = self._known[build_id] = BuildStream(build_id)
        if stream not in self._tasks or stream.broken:
            self._start(stream)
        stream.readers += 1
        try:
            yield stream
        finally:
            stream.readers -= 1
            if stream.readers == 0:
                await self._stop(stream)

    def _start(self, stream: BuildStream) -> None:
        stream.reopen()
        self._tasks[stream] = asyncio.create_task(
            stream.read(self._source), name=f"imagebuilder stream {stream.build_id}"
        )

    async def _stop(self, stream: BuildStream) -> None:
        # a reader who comes while we wait for its end has it read on
        task = self._tasks.pop(stream)
        task.cancel()
        # unlike awaiting the task, this lets a cancellation of our own through
        await asyncio.wait([task])
