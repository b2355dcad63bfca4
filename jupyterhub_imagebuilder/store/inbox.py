"""What waits for the writer: taken in by the loop without waiting, handed out in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.record import BuildRecord, Page
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import codec
from jupyterhub_imagebuilder.store.fold import Write

log = logging.getLogger(__name__)

#: Seconds between two transactions, for what nobody waits for.
PACE = 0.25
#: Writes, and characters of pages, of one transaction.
_BATCH_WRITES = 4000
_BATCH_SIZE = 4 * 1024 * 1024
#: Characters of pages that may wait; further ones are dropped.
_ROOM = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Work:
    """Something else to do in a transaction, in its turn, whose result somebody waits for."""

    do: Callable[[sa.Connection], Any]


@dataclass(frozen=True, slots=True)
class Item:
    """Something to do, and who waits for it."""

    what: Write | Work
    done: asyncio.Future[Any]
    size: int


class Inbox:
    """A queue from the loop to one thread."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._items: deque[Item] = deque()
        self._size = 0
        self._urgent = False
        self._taken = 0.0  # when, by the monotonic clock
        self._closed = False
        self._full = False

    def put(self, what: Write | Work) -> asyncio.Future[Any]:
        """Take something in; from the loop.  The future is resolved when it is done."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        size, urgent = 0, True
        if isinstance(what, Write):
            if isinstance(what.content, Page):
                size, urgent = sum(map(codec.size, what.content.events)), False
            else:
                urgent = _hurries(what.content)
        with self._news:
            full = self._closed or (size > 0 and self._size + size > _ROOM)
            if not full:
                self._items.append(Item(what, done, size))
                self._size += size
                self._urgent |= urgent
                if urgent or len(self._items) == 1:
                    self._news.notify()
        if full:
            self._refuse(what, done)
        return done

    def wait(self, until: float | None) -> list[Item]:
        """Return what is to be done next, empty when ``until`` (monotonic) has come first."""
        with self._news:
            while not self._closed:
                now = time.monotonic()
                due = [] if until is None else [until]
                if self._items:
                    due.append(now if self._urgent else self._taken + PACE)
                if due and min(due) <= now:
                    break
                self._news.wait(min(due) - now if due else None)
            if self._items and (
                self._closed or self._urgent or self._taken + PACE <= time.monotonic()
            ):
                return self._take()
            return []

    def wake(self) -> None:
        """Have :meth:`wait` look at the time again."""
        with self._news:
            self._urgent = self._urgent or bool(self._items)
            self._news.notify()

    @property
    def closed(self) -> bool:
        """Whether nothing is taken in any more."""
        return self._closed

    def close(self) -> None:
        """Take nothing in any more; what is there is handed out without delay."""
        with self._news:
            self._closed = True
            self._news.notify()

    def clear(self) -> list[Item]:
        """All that is left."""
        with self._news:
            items = list(self._items)
            self._items.clear()
            return items

    def _take(self) -> list[Item]:
        items: list[Item] = []
        size = 0
        while self._items and len(items) < _BATCH_WRITES and size < _BATCH_SIZE:
            item = self._items.popleft()
            items.append(item)
            size += item.size
            if isinstance(item.what, Work):
                break
        self._size -= size
        self._urgent = bool(self._items)
        self._taken = time.monotonic()
        return items

    def _refuse(self, what: Write | Work, done: asyncio.Future[Any]) -> None:
        if not self._full and not self._closed:
            self._full = True
            log.warning("the database is too slow for the logs of builds: they will have holes")
        if isinstance(what, Work):
            done.set_exception(StoreUnavailable("The image builder ends."))
        else:
            done.set_result(None)


def settle(items: Sequence[Item], result: Any = None, error: Exception | None = None) -> None:
    """Tell those who wait, from any thread."""
    loops: dict[asyncio.AbstractEventLoop, list[Item]] = {}
    for item in items:
        loops.setdefault(item.done.get_loop(), []).append(item)
    for loop, its in loops.items():
        with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, its, result, error)


def _resolve(items: Sequence[Item], result: Any, error: Exception | None) -> None:
    for item in items:
        if item.done.done():
            continue
        if error is not None and isinstance(item.what, Work):
            item.done.set_exception(error)
        else:
            item.done.set_result(result)


def _hurries(record: BuildRecord) -> bool:
    """Whether somebody waits for this state to be kept: a request that is to be acknowledged."""
    return record.uid is None and not record.phase.terminal
