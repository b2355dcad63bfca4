"""A clock that stands still until its test moves it."""

from __future__ import annotations

import asyncio


async def settle(rounds: int = 60) -> None:
    """Let everything run that can."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class ManualClock:
    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        sleeper = (self.time + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Let time pass, in steps that wake everyone in order."""
        end = self.time + seconds
        await settle()
        while due := [at for at, _ in self._sleepers if at <= end]:
            self.time = max(self.time, min(due))
            for at, event in list(self._sleepers):
                if at <= self.time:
                    event.set()
            await settle()
        self.time = end
