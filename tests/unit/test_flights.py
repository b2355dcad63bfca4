from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import ServiceUnavailable
from jupyterhub_imagebuilder.flights import SingleFlight


class Work:
    """Counts its starts and ends when told."""

    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.started += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return self.started


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_meanwhile_share_and_later_ones_ask_anew():
    flights, work = SingleFlight(), Work()
    tasks = [asyncio.create_task(flights.run("k", work)) for _ in range(3)]
    other = asyncio.create_task(flights.run("other", work))
    await settle()
    assert work.started == 2
    work.gate.set()
    assert len(set(await asyncio.gather(*tasks))) == 1
    await other
    await flights.run("k", work)
    assert work.started == 3


async def test_an_error_reaches_everyone():
    flights, work = SingleFlight(), Work()
    work.error = LookupError("no")
    tasks = [asyncio.create_task(flights.run("k", work)) for _ in range(2)]
    await settle()
    work.gate.set()
    assert [type(r) for r in await asyncio.gather(*tasks, return_exceptions=True)] == [
        LookupError,
        LookupError,
    ]


async def test_one_who_leaves_does_not_take_the_others_along():
    flights, work = SingleFlight(), Work()
    first, second = (asyncio.create_task(flights.run("k", work)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert work.cancelled == 0
    work.gate.set()
    assert await second == 1
    assert first.cancelled()


async def test_the_last_one_who_leaves_ends_it():
    flights, work = SingleFlight(), Work()
    task = asyncio.create_task(flights.run("k", work))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.cancelled == 1
    assert flights._flights == set()


async def test_close_ends_all():
    flights, work = SingleFlight(), Work()
    task = asyncio.create_task(flights.run("k", work))
    await settle()
    await flights.close()
    assert work.cancelled == 1
    with pytest.raises(ServiceUnavailable, match="stopping"):
        await task


async def test_anew_does_not_join_older_work_but_is_joined():
    flights, old, new = SingleFlight(), Work(), Work()
    first = asyncio.create_task(flights.run("k", old))
    await settle()
    second = asyncio.create_task(flights.run("k", new, anew=True))
    await settle()
    third = asyncio.create_task(flights.run("k", old))
    await settle()
    assert (old.started, new.started) == (1, 1)
    old.gate.set()
    assert await first == 1
    new.gate.set()
    assert await asyncio.gather(second, third) == [1, 1]
