"""Waiting for whichever comes first: an event or a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from jupyterhub_imagebuilder.builds.ports import Clock


async def wait_for(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Wait until the event is set, at most ``seconds``; whether it is."""
    if not event.is_set():
        await first(clock, seconds, event.wait())
    return event.is_set()


async def first(clock: Clock, seconds: float, *others: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them, or the time, is over; the rest is cancelled."""
    tasks = [asyncio.ensure_future(waiter) for waiter in (clock.sleep(seconds), *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
