"""P4: answers for an image that is there, in BinderHub's way."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.benchmarks.bench import HANG, HEADERS, Row, Service, Stage
from tests.benchmarks.machine import Cost, percentile

WIDTHS = (1, 32, 50, 256)
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
#: Seconds for which each width is asked, after as many again that nobody counts.
SECONDS, WARM = 5.0, 1.0


@dataclass(frozen=True)
class Measured:
    """What a crowd was answered."""

    seconds: float
    latencies: Sequence[float]  #: milliseconds
    cost: float  #: milliseconds of the service's CPU for each answer

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def address(service: Service, name: str) -> URL:
    """Where BinderHub's clients ask for the image of a repository of that name."""
    spec = quote(f"https://git.example.org/bench/{name}", safe="") + "/main"
    return URL(f"{service.url}build/git/{spec}?build_only=true", encoded=True)


async def built(service: Service, *names: str) -> None:
    """Return when these images are in the registry, and the answer says so at once."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        await asyncio.wait_for(
            asyncio.gather(*(answer(session, address(service, name)) for name in names)), HANG
        )


async def answer(session: aiohttp.ClientSession, url: URL) -> float:
    """Milliseconds until the answer has ended; it has to name an image."""
    began = time.monotonic()
    async with session.get(url) as response:
        text = await response.read()
    assert response.status == 200, text
    assert b'"imageName"' in text, text
    return (time.monotonic() - began) * 1000


async def asked(service: Service, url: URL, width: int) -> Measured:
    """Ask from as many connections at once, each again when it is answered."""
    latencies: list[float] = []
    begun = time.monotonic() + WARM
    end = begun + SECONDS
    # by hand: a client library takes longer for an answer than the service does
    head = [f"GET {url.raw_path_qs} HTTP/1.1", f"Host: 127.0.0.1:{service.port}", "Accept: */*"]
    head += [f"{name}: {value}" for name, value in HEADERS.items()]
    question = "\r\n".join([*head, "", ""]).encode()

    async def go_on() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        while (now := time.monotonic()) < end:
            writer.write(question)
            text = await reader.readuntil(b"\r\n\r\n")
            text += await reader.readexactly(int(LENGTH.search(text)[1]))
            took = (time.monotonic() - now) * 1000
            assert text.startswith(b"HTTP/1.1 200 "), text
            assert b'"imageName"' in text, text
            if now >= begun:
                latencies.append(took)
        writer.close()

    async def watch_cost() -> tuple[Cost, Cost]:
        await asyncio.sleep(begun - time.monotonic())
        before = service.cost()
        await asyncio.sleep(end - time.monotonic())
        return before, service.cost()

    async with asyncio.timeout(HANG), asyncio.TaskGroup() as crowd:
        for _ in range(width):
            crowd.create_task(go_on())
        before, after = await crowd.create_task(watch_cost())
    busy = after.cores(before) * SECONDS * 1000
    return Measured(SECONDS, latencies, busy / max(1, len(latencies)))


async def cached_answers(stage: Stage) -> AsyncIterator[Row]:
    """P4: answers per second and latency, by how many ask at once."""
    service = await stage.service(rate=1000.0, lines=1)
    await built(service, "cached")
    for width in WIDTHS:
        before = stage.registry.asked
        found = await asked(service, address(service, "cached"), width)
        p50, p99 = percentile(found.latencies, 0.5), percentile(found.latencies, 0.99)
        requests = stage.registry.asked - before
        yield Row(
            "P4",
            f"{width} at once",
            f"{found.rate:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {found.cost:.2f} ms CPU each,"
            f" {requests} registry requests for {len(found.latencies)} answers",
            "p99 < 25 ms" if width == 50 else "",
            {
                "at_once": width,
                "per_second": found.rate,
                "p50_ms": p50,
                "p99_ms": p99,
                "cpu_ms": found.cost,
                "registry_requests": requests,
                "answers": len(found.latencies),
            },
        )
    service.end()
