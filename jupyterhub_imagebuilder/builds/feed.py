"""One build's events, in order, for any number of viewers.

A viewer holds a number and nothing else: appending costs the same with one viewer and with a
thousand, and a viewer that does not read delays nobody.  The newest events are in memory, older
ones where they are kept; a viewer reads from both without a seam.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator
from typing import Protocol

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged, parse_event_id
from jupyterhub_imagebuilder.builds.record import Page

#: Bytes of memory for one build's events, about: text, and what an event is beside it.
MEMORY = 4 * 2**20
_EVENT_SIZE = 200
#: Events that a viewer takes at once: one that is slow must not hold many that were dropped.
_STEP = 100


class Archive(Protocol):
    """Where the events are that are not in memory any more; it never raises."""

    async def page(self, number: int) -> Page | None:
        """What was said from event ``number`` on, or behind it; None when that is not known."""

    async def seek(self, source: str, index: int) -> int | None:
        """A number shortly before that of the last line of ``source`` up to ``index``."""


class Feed:
    """The ordered events of a build, numbered from 0.

    :param archive: where older events can be read; None: they are told as a gap.
    :param first: number of the first event to come: those before it are in the archive.
    :param phase: the newest phase among those before it.
    :param memory: bytes that the events in memory may take.
    """

    def __init__(
        self,
        archive: Archive | None = None,
        *,
        first: int = 0,
        phase: PhaseChanged | None = None,
        memory: int = MEMORY,
    ) -> None:
        self._archive = archive
        self._memory = memory
        self._events: list[Event] = []
        self._ends: list[int] = []  # of each event, the bytes of all up to it and with it
        self._first = first
        self._dropped = 0  # bytes of those that are not in memory any more
        self._phase = phase
        self._closed = False
        self._news = asyncio.Event()

    @property
    def phase(self) -> PhaseChanged | None:
        """The newest phase event."""
        return self._phase

    @property
    def first(self) -> int:
        """The number of the oldest event in memory."""
        return self._first

    @property
    def end(self) -> int:
        """The number of the next event."""
        return self._first + len(self._events)

    def append(self, event: Event) -> None:
        """Add an event; after a terminal one nothing may follow."""
        if self._phase is not None and self._phase.phase.terminal:
            raise ValueError("an event after the terminal one")
        if isinstance(event, PhaseChanged):
            self._phase = event
        self._events.append(event)
        self._ends.append(self._total + _size(event))
        # a quarter at once, so that a long log does not move the list at each line
        if self.size_from(self._first) > self._memory + self._memory // 4:
            self._drop(self._excess())
        self._wake()

    def size_from(self, number: int) -> int:
        """Bytes of the events from ``number`` on, as far as they are in memory."""
        if number <= self._first or not self._ends:
            return self._total - self._dropped
        return self._total - self._ends[min(number, self.end) - self._first - 1]

    def slice(self, first: int, end: int) -> Page:
        """Events from ``first`` to before ``end``, as far as they are in memory."""
        first = max(first, self._first)
        return Page(first, tuple(self._events[first - self._first : max(end - self._first, 0)]))

    def shelve(self, end: int) -> None:
        """Forget events before number ``end``, which are in the archive; the newest one stays."""
        self._drop(min(end - self._first, len(self._events) - 1))

    def close(self) -> None:
        """End all readers, although the build goes on: this process stops."""
        self._closed = True
        self._wake()

    async def read(self, after: str | None = None) -> AsyncIterator[Event]:
        """The events so far, then live, up to and with the terminal one.

        :param after: id of the last line that the viewer has: no line up to it comes again, not
            even where the log is read anew.  An unknown source replays all.
        """
        had = parse_event_id(after) if after else None
        position = await self._position(had) if had else 0
        while True:
            news = self._news
            events, position = await self._next(position)
            for event in events:
                if had and _reached(event, had):
                    continue
                yield event
                if isinstance(event, PhaseChanged) and event.phase.terminal:
                    return
            if not events:
                if self._closed:
                    return
                await news.wait()

    async def _next(self, position: int) -> tuple[tuple[Event, ...], int]:
        """Some events from ``position`` on, none when there are no more yet, and where they end."""
        if position >= self._first:
            page = self.slice(position, position + _STEP)
            return page.events, page.end
        kept = await self._archive.page(position) if self._archive else None
        if kept is not None and kept.first <= position < kept.end:
            return kept.events[position - kept.first :], kept.end
        until = min(kept.first, self._first) if kept is not None else self._first
        gap = Gap(f"{until - position} earlier lines cannot be shown any more")
        # its own event may be among what is missing
        if self._phase is not None and not self._phase.phase.terminal:
            return (gap, self._phase), until
        return (gap,), until

    async def _position(self, had: tuple[str, int]) -> int:
        """Where a viewer reads on that has seen everything up to a line."""
        for number in range(self.end - 1, self._first - 1, -1):
            if _reached(self._events[number - self._first], had):
                return number + 1
        near = await self._archive.seek(*had) if self._archive else None
        return 0 if near is None else near

    @property
    def _total(self) -> int:
        return self._ends[-1] if self._ends else self._dropped

    def _excess(self) -> int:
        """How many events have to go for the rest to fit; the newest one stays."""
        count = bisect_left(self._ends, self._total - self._memory) + 1
        return min(count, len(self._events) - 1)

    def _drop(self, count: int) -> None:
        if count > 0:
            self._dropped = self._ends[count - 1]
            del self._events[:count], self._ends[:count]
            self._first += count

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _reached(event: Event, had: tuple[str, int]) -> bool:
    """Whether a viewer who has that line has this event, too."""
    source, index = had
    return isinstance(event, LogLine) and event.source == source and event.index <= index


def _size(event: Event) -> int:
    return _EVENT_SIZE + len(event.text if isinstance(event, LogLine) else event.message)
