"""One build's events, in order, for any number of viewers.

A viewer holds an offset and nothing else: appending costs the same with one viewer and with a
thousand, and a viewer that does not read delays nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged, parse_event_id

#: Events kept in memory per build; what is older is told to late viewers as a gap.
EVENT_LIMIT = 50_000


class Feed:
    """The ordered events of a build.

    :param limit: how many events are kept; older ones are dropped, the newest stay.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._events: list[Event] = []
        self._dropped = 0  # events that were before self._events[0]
        self._phase: PhaseChanged | None = None
        self._closed = False
        self._news = asyncio.Event()

    @property
    def phase(self) -> PhaseChanged | None:
        """The newest phase event."""
        return self._phase

    def append(self, event: Event) -> None:
        """Add an event; after a terminal one nothing may follow."""
        if self._phase is not None and self._phase.phase.terminal:
            raise ValueError("an event after the terminal one")
        if isinstance(event, PhaseChanged):
            self._phase = event
        self._events.append(event)
        # a quarter at once, so that a long log does not move the list at each line
        if len(self._events) > self._limit + self._limit // 4:
            excess = len(self._events) - self._limit
            del self._events[:excess]
            self._dropped += excess
        self._wake()

    def close(self) -> None:
        """End all readers, although the build goes on: this process stops."""
        self._closed = True
        self._wake()

    async def read(self, after: str | None = None) -> AsyncIterator[Event]:
        """The events so far, then live, up to and with the terminal one.

        :param after: id of the last line that the viewer has; an unknown one replays all.
        """
        position = self._position(after)
        while True:
            news = self._news
            if position < self._dropped:
                missed, position = self._dropped - position, self._dropped
                yield Gap(f"{missed} earlier lines are no longer kept")
                # its own event may be among what was dropped
                if self._phase is not None and not self._phase.phase.terminal:
                    yield self._phase
            while position < self._dropped + len(self._events):
                event = self._events[position - self._dropped]
                position += 1
                yield event
                if isinstance(event, PhaseChanged) and event.phase.terminal:
                    return
                if position < self._dropped:
                    break  # dropped while the viewer was busy: say so first
            else:
                if self._closed:
                    return
                await news.wait()

    def _position(self, after: str | None) -> int:
        """Where a viewer reads on that has seen everything up to the line ``after``."""
        wanted = parse_event_id(after) if after else None
        for offset in range(len(self._events) - 1, -1, -1):
            event = self._events[offset]
            if isinstance(event, LogLine) and (event.source, event.index) == wanted:
                return self._dropped + offset + 1
        return 0

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
