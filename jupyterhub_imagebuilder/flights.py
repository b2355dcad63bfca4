"""Identical questions at the same time share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jupyterhub_imagebuilder.errors import ServiceUnavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    task: asyncio.Task[V]
    waiters: int = 0


class SingleFlight(Generic[K, V]):
    """Runs one coroutine per key at a time, for all who ask meanwhile.

    Nothing is remembered once it has ended.  Whoever leaves leaves alone; the last one takes the
    coroutine along.
    """

    def __init__(self) -> None:
        self._joinable: dict[K, _Flight[V]] = {}
        self._flights: set[_Flight[V]] = set()

    async def run(
        self, key: K, start: Callable[[], Coroutine[Any, Any, V]], *, anew: bool = False
    ) -> V:
        """The result, or the error, of the coroutine under way for ``key``, or of a new one.

        :param anew: do not join an older one; later callers join this one.
        :raises ServiceUnavailable: :meth:`close` came first.
        """
        flight = None if anew else self._joinable.get(key)
        if flight is None:
            flight = self._joinable[key] = _Flight(asyncio.create_task(start()))
            self._flights.add(flight)
        flight.waiters += 1
        try:
            # wait, not await: a waiter that is cancelled leaves the task alone
            await asyncio.wait((flight.task,))
        finally:
            flight.waiters -= 1
            if flight.waiters == 0:
                # before any await: who asks now needs a flight of its own
                self._flights.discard(flight)
                if self._joinable.get(key) is flight:
                    del self._joinable[key]
                await _end(flight.task)
        if flight.task.cancelled():
            raise ServiceUnavailable("The image builder is stopping; please try again in a minute.")
        return flight.task.result()

    async def close(self) -> None:
        """End what is under way, and wait until it has ended."""
        flights, self._flights = self._flights, set()
        self._joinable.clear()
        for flight in flights:
            await _end(flight.task)


async def _end(task: asyncio.Task[Any]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        # everyone who wanted the error may have left: it is not "never retrieved"
        task.exception()
