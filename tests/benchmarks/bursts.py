"""P8: many requests for one key, at once and around its end; exactly one build."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence

import aiohttp

from tests.benchmarks.bench import Row, Service, Stage, request
from tests.benchmarks.machine import percentile

BURSTS = ((64, 1), (64, 2), (500, 1), (500, 2))
#: Seconds that the build takes, and for which requests go on coming behind its end.
BUILD, BEHIND = 1.0, 1.5


async def builds_per_burst(stage: Stage) -> AsyncIterator[Row]:
    """P8: as many requests at once as told, and again as many from there to behind the end."""
    for burst in BURSTS:
        yield await _burst(stage, *burst)


async def _burst(stage: Stage, width: int, processes: int) -> Row:
    created = stage.folder / "builds" / "created"
    created.unlink(missing_ok=True)
    # an old service and a new one know the same history
    shared = {"ImageBuilder": {"state_dir": str(stage.folder)}}
    services = [
        await stage.service(shared, rate=20.0, lines=round(20 * BUILD), tail=0.1)
        for _ in range(processes)
    ]
    name = f"burst-{width}-{processes}"
    limit = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limit) as session:
        asked = await asyncio.gather(
            *(_ask(session, services, name, 0.0) for _ in range(width)),
            *(
                _ask(session, services, name, random.uniform(0.2, BUILD + BEHIND))
                for _ in range(width)
            ),
        )
        for service in services:
            await _until_built(session, service, name)
    for service in services:
        service.end()
    started = len(created.read_text().splitlines())
    seconds = [seconds for _, seconds in asked]
    ids = len({build["id"] for build, _ in asked})
    p99 = percentile(seconds, 0.99) * 1000
    return Row(
        "P8",
        f"2 x {width} requests, {processes} process{'es' * (processes > 1)}",
        f"{started} started; {ids} builds shown; answers p99 {p99:.0f} ms",
        "exactly 1",
        {"requests": 2 * width, "processes": processes, "started": started, "p99_ms": p99},
    )


async def _ask(
    session: aiohttp.ClientSession, services: Sequence[Service], name: str, delay: float
) -> tuple[dict, float]:
    await asyncio.sleep(delay)
    began = time.monotonic()
    build = await request(session, random.choice(services), name)
    return build, time.monotonic() - began


async def _until_built(session: aiohttp.ClientSession, service: Service, name: str) -> None:
    async with asyncio.timeout(20):
        while (build := await request(session, service, name))["phase"] != "built":
            assert build["reason"] is None, build
            await asyncio.sleep(0.1)
