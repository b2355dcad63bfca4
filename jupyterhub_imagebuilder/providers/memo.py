"""Answers that are remembered for a few seconds, and shared while they are under way."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from jupyterhub_imagebuilder.flights import SingleFlight

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Answers that are remembered at most; the oldest go.
SIZE = 1024


class Memo(Generic[K, V]):
    """Runs a question once for all who ask it within a few seconds.  Errors are not remembered.

    :param seconds: how long an answer is good; 0: only for those who ask while it is under way.
    :param now: seconds of a clock that never goes back.
    """

    def __init__(self, seconds: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._flights: SingleFlight[K, V] = SingleFlight()
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()

    async def get(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer that is known, or is under way, or that ``ask`` gives.

        :raises ServiceUnavailable: :meth:`close` came first.
        """
        known = self._known.get(key)
        if known is not None and not self._is_old(known):
            return known[1]
        return await self._flights.run(key, lambda: self._ask(key, ask))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()
        self._known.clear()

    async def _ask(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        # The age counts from the question: the answer may be older than its arrival.
        asked = self._now()
        value = await ask()
        if self._seconds > 0:
            self._known[key] = (asked, value)
            self._known.move_to_end(key)
            while len(self._known) > SIZE or self._is_old(next(iter(self._known.values()))):
                self._known.popitem(last=False)
        return value

    def _is_old(self, known: tuple[float, V]) -> bool:
        return self._now() - known[0] >= self._seconds
