"""P5: what answers cost the registry: at most one request for each image and memo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from tests.benchmarks.bench import HEADERS, Row, Service, Stage
from tests.benchmarks.p4_cached import address, answer, built

IMAGES = 20
WIDTH = 50


async def registry_requests(stage: Stage) -> AsyncIterator[Row]:
    """P5: fifty ask for each of twenty images at once; a service that has just started."""
    first = await stage.service(rate=1000.0, lines=1)
    names = [f"image-{number}" for number in range(IMAGES)]
    await built(first, *names)
    first.end()
    service = await stage.service(rate=1000.0, lines=1)
    yield await _ask(stage, service, names, "service just started")
    yield await _ask(stage, service, names, "again within the memo")
    service.end()


async def _ask(stage: Stage, service: Service, names: list[str], load: str) -> Row:
    before = stage.registry.asked
    limit = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limit, headers=HEADERS) as session:
        urls = [address(service, name) for name in names] * WIDTH
        answers = await asyncio.gather(*(answer(session, url) for url in urls))
    requests = stage.registry.asked - before
    return Row(
        "P5",
        f"{WIDTH} x {IMAGES} images, {load}",
        f"{requests} registry requests, {requests / len(names):.2f} for each image,"
        f" {requests / len(answers):.3f} for each answer",
        "<= 1 for each image",
        {"answers": len(answers), "requests": requests, "images": len(names)},
    )
