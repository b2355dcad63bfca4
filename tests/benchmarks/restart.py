"""P9: SIGKILL in the middle of many builds, and the next process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.benchmarks.bench import Row, Stage, events, requests
from tests.benchmarks.viewers import Seen

#: How many builds run, lines per second of each, and the seconds for which they write.
RESTARTS = ((1, 5.0, 12), (100, 5.0, 16), (1000, 1.0, 40))


@dataclass
class Kept:
    """What became of a log on its way through the restart."""

    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    ended: int = 0

    def add(self, seen: Seen, lines: int) -> None:
        """Count what one viewer saw of a log of so many lines."""
        indices = seen.lines[::3]
        different = set(indices)
        self.lost += lines - len(different)
        self.doubled += len(indices) - len(different)
        self.gaps += seen.gaps
        self.ended += seen.end == "built"


async def restarts(stage: Stage) -> AsyncIterator[Row]:
    """P9: 1 to 1000 builds, each with a viewer that comes back."""
    for restart in RESTARTS:
        yield await _restart(stage, *restart)


async def _restart(stage: Stage, builds: int, rate: float, seconds: int) -> Row:
    lines = round(rate * seconds)
    service = await stage.service(rate=rate, lines=lines)
    ids = await requests(service, [f"restarted-{builds}-{number}" for number in range(builds)])
    watching = await stage.watch(service, [events(build) for build in ids], persistent=True)
    await asyncio.sleep(2)
    service.end(signal.SIGKILL)
    await asyncio.sleep(0.5)
    service.begin()
    answered = await service.answers()
    ready = await service.answers("api/builds")
    seen = await watching.seen()
    begun = service.begun * 1e6
    again = [min((came for came in one.lines[2::3] if came > begun), default=None) for one in seen]
    followed = (max(came for came in again if came) - begun) / 1e6
    service.end()
    kept = Kept()
    for one in seen:
        kept.add(one, lines + 1)
    return Row(
        "P9",
        f"{builds} running, {rate:g} lines/s each",
        f"answers after {answered:.2f} s, serves builds after {ready:.2f} s, all followed after"
        f" {followed:.2f} s; lines lost {kept.lost}, doubled {kept.doubled}, gaps {kept.gaps};"
        f" {kept.ended} of {builds} built",
        "< 2 s, nothing lost unmarked, no duplicate" if builds == 100 else "",
        {
            "builds": builds,
            "answers_s": answered,
            "ready_s": ready,
            "followed_s": followed,
            "never_followed": again.count(None),
            **vars(kept),
        },
    )
