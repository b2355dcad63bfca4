"""What one build says, handed to the store as fast as the store takes it, and read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from jupyterhub_imagebuilder.builds.feed import MEMORY, Feed
from jupyterhub_imagebuilder.builds.ports import Store
from jupyterhub_imagebuilder.builds.record import BuildRecord, Page
from jupyterhub_imagebuilder.errors import StoreUnavailable

log = logging.getLogger(__name__)

#: Bytes of events that wait for a page that is on its way.  What comes faster than the store takes
#: it does not wait: it would leave the feed's memory before it is kept.
_WAITING = MEMORY // 4
#: How often a store is asked that is too busy to answer; it takes some seconds each time.  A viewer
#: waits rather than being told that lines are lost.
_ATTEMPTS = 3


class Shelf:
    """The events of one build in the store, or on their way there, for its feed."""

    def __init__(self, store: Store, build_id: str) -> None:
        self._store = store
        self._build_id = build_id
        self._on_their_way: list[Page] = []

    def save(self, record: BuildRecord) -> Awaitable[None]:
        """Keep the build's state."""
        return self._store.save(record)

    def put(self, record: BuildRecord, page: Page) -> asyncio.Future[None]:
        """Hand a page to the store; it can be read from now on."""
        taken = asyncio.ensure_future(self._store.append(record, page))
        self._on_their_way.append(page)
        taken.add_done_callback(lambda _: self._on_their_way.remove(page))
        return taken

    async def page(self, number: int) -> Page | None:
        """What was said from event ``number`` on; None when the store cannot tell."""
        for page in self._on_their_way:
            if page.first <= number < page.end:
                return page
        for attempt in range(_ATTEMPTS):
            try:
                return await self._store.page(self._build_id, number)
            except StoreUnavailable as error:
                log.info("a log cannot be read back (attempt %d): %s", attempt + 1, error.message)
        return None

    async def seek(self, source: str, index: int) -> int | None:
        """Where a line is, about; None when the store cannot tell."""
        try:
            return await self._store.seek(self._build_id, source, index)
        except StoreUnavailable as error:
            log.info("a log cannot be read back: %s", error.message)
            return None


class Recorder:
    """Hands a build's state and events to the store, in order.

    One page is on its way at a time; what comes meanwhile is the next one, as long as that is not
    much.  A page ends where the executor can follow on: the lines of a record are stored together
    or not at all, so that none of them is told twice when the build is adopted.

    :param record: the build's state now.
    :param end: number behind the last event that the store has already.
    """

    def __init__(
        self,
        shelf: Shelf,
        feed: Feed,
        record: Callable[[], BuildRecord],
        end: int = 0,
    ) -> None:
        self._shelf = shelf
        self._feed = feed
        self._record = record
        self._sent = end  # number behind the last event that was handed over
        self._whole = end  # number behind the last event at which a page may end
        self._mark: str | None = None
        self._in_record = False  # lines came behind the last mark
        self._on_their_way = 0  # pages
        self.kept = end  #: number behind the last event that the store has taken

    def save(self) -> Awaitable[None]:
        """Keep the build's state; to be waited for where it must outlive this process."""
        return self._shelf.save(self._record())

    def line(self) -> None:
        """A line was added to the feed; its mark is still to come."""
        self._in_record = True

    def mark(self, mark: str) -> None:
        """The feed ends where the executor can follow on."""
        self._mark = mark
        self._in_record = False
        self.news()

    def news(self) -> None:
        """Something else was added to the feed."""
        if not self._in_record:
            self._whole = self._feed.end
        while self._may_go() and (page := self._next_page()) is not None:
            self._on_their_way += 1
            self._hand_over(page).add_done_callback(self._go_on)

    def finish(self, *, over: bool) -> None:
        """Hand over all that can be, at once.

        :param over: the build has ended; else this process does, and what has no mark behind it
            is left to the next one.
        """
        if over:
            self._whole = self._feed.end
        while (page := self._next_page()) is not None:
            self._hand_over(page)

    def _may_go(self) -> bool:
        return self._on_their_way == 0 or self._feed.size_from(self._sent) > _WAITING

    def _next_page(self) -> Page | None:
        # where memory was too small the page begins later: a hole, which reading shows
        first = max(self._sent, self._feed.first)
        page = self._feed.slice(first, self._whole)
        self._sent = max(first, page.end)
        if not page.events:
            return None
        # a page without its mark would be told again by who takes the build over behind it
        return replace(page, mark=self._mark)

    def _hand_over(self, page: Page) -> asyncio.Future[None]:
        taken = self._shelf.put(self._record(), page)
        taken.add_done_callback(lambda done: self._taken(page.end, done))
        return taken

    def _taken(self, end: int, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.kept = max(self.kept, end)

    def _go_on(self, done: asyncio.Future[None]) -> None:
        self._on_their_way -= 1
        if not done.cancelled():
            self.news()
