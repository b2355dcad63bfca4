"""Time that tests own."""

from __future__ import annotations

import asyncio


class InstantClock:
    """Time that passes only when it is slept, or moved by hand."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
