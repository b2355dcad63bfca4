"""Share one request among all who ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from jupyterhub_imagebuilder.errors import RegistryUnavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs one piece of work per key at a time, and owns its tasks until :meth:`close`.

    The work goes on when a waiter is cancelled: it belongs to the others too, and to nobody in
    particular.  A failure reaches everyone who waits, and is forgotten.
    """

    def __init__(self) -> None:
        self._current: dict[K, asyncio.Task[V]] = {}
        self._tasks: set[asyncio.Task[V]] = set()

    async def run(
        self, key: K, work: Callable[[], Coroutine[Any, Any, V]], *, anew: bool = False
    ) -> V:
        """Return what ``work`` returns, or raise what it raises.

        :param work: called only where no work for ``key`` is under way.
        :param anew: do not join older work; later callers join this one.
        :raises RegistryUnavailable: :meth:`close` came first.
        """
        task = None if anew else self._current.get(key)
        if task is None:
            task = self._start(key, work())
        # asyncio.wait, not await: a cancelled waiter leaves the task alone.
        await asyncio.wait((task,))
        if task.cancelled():
            raise RegistryUnavailable(
                "The image builder is shutting down; please try again in a minute."
            )
        return task.result()

    async def close(self) -> None:
        """Cancel what is under way and wait until it has ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: K, work: Coroutine[Any, Any, V]) -> asyncio.Task[V]:
        task = asyncio.create_task(work)
        self._current[key] = task
        self._tasks.add(task)

        def forget(done: asyncio.Task[V]) -> None:
            self._tasks.discard(done)
            if self._current.get(key) is done:
                del self._current[key]
            if not done.cancelled():
                # Where every waiter was cancelled, nobody else takes the exception.
                done.exception()

        task.add_done_callback(forget)
        return task
