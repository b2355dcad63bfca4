from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.flight import SingleFlight


class Work:
    def __init__(self, result="done"):
        self.result = result
        self.gate = asyncio.Event()
        self.started = 0

    async def __call__(self):
        self.started += 1
        await self.gate.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def turn():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_run_for_all_who_ask_at_once():
    flight, work = SingleFlight(), Work()
    waiters = [asyncio.create_task(flight.run("key", work)) for _ in range(5)]
    await turn()
    work.gate.set()
    assert await asyncio.gather(*waiters) == ["done"] * 5
    assert work.started == 1
    assert await flight.run("key", work) == "done"
    assert work.started == 2


async def test_keys_do_not_wait_for_each_other():
    flight, slow, quick = SingleFlight(), Work(), Work("quick")
    quick.gate.set()
    waiter = asyncio.create_task(flight.run("slow", slow))
    await turn()
    assert await flight.run("quick", quick) == "quick"
    slow.gate.set()
    assert await waiter == "done"


async def test_cancelled_waiter_leaves_the_others():
    flight, work = SingleFlight(), Work()
    first, second = (asyncio.create_task(flight.run("key", work)) for _ in range(2))
    await turn()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.gate.set()
    assert await second == "done"
    assert work.started == 1


async def test_failure_reaches_all_and_is_forgotten():
    flight, work = SingleFlight(), Work(RegistryDenied("No."))
    waiters = [asyncio.create_task(flight.run("key", work)) for _ in range(2)]
    await turn()
    work.gate.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert results == [work.result] * 2
    work.result = "better"
    assert await flight.run("key", work) == "better"


async def test_anew_does_not_join_older_work_but_is_joined():
    flight, old, new = SingleFlight(), Work("old"), Work("new")
    first = asyncio.create_task(flight.run("key", old))
    await turn()
    second = asyncio.create_task(flight.run("key", new, anew=True))
    await turn()
    old.gate.set()
    assert await first == "old"
    third = asyncio.create_task(flight.run("key", Work("never")))
    await turn()
    new.gate.set()
    assert await asyncio.gather(second, third) == ["new", "new"]


async def test_close_ends_the_work_and_tells_the_waiters():
    flight, work = SingleFlight(), Work()
    waiter = asyncio.create_task(flight.run("key", work))
    await turn()
    await flight.close()
    with pytest.raises(RegistryUnavailable, match="shutting down"):
        await waiter
