"""P2 and P3: what viewers get, when, and what each of them costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from tests.benchmarks.bench import Row, Stage, events, requests
from tests.benchmarks.machine import percentile
from tests.benchmarks.viewers import Seen

RATE, SECONDS = 20, 10
VIEWERS = (1, 64, 500, 1000)
#: A line that comes later than this, in seconds, does not come live.
LIVE = 1.0


def complete(seen: Seen, lines: int) -> bool:
    """Whether every line came, once, in order."""
    return list(seen.lines[::3]) == list(range(lines))


def latencies(seen: Seen) -> list[float]:
    """Milliseconds from the moment at which a line was due to its arrival."""
    return [
        (came - written) / 1000
        for written, came in zip(seen.lines[1::3], seen.lines[2::3], strict=True)
    ]


async def line_latency(stage: Stage) -> AsyncIterator[Row]:
    """P2: one build that writes steadily, and 1 to 1000 viewers of it."""
    for viewers in VIEWERS:
        yield await _watched(stage, viewers)


async def _watched(stage: Stage, viewers: int) -> Row:
    go = stage.folder / f"go-{viewers}"
    service = await stage.service(go_file=str(go), rate=RATE, lines=RATE * SECONDS)
    (build,) = await requests(service, [f"watched-{viewers}"])
    watching = await stage.watch(service, [events(build)] * viewers)
    await asyncio.sleep(0.5)
    before = service.cost()
    _begin(go)
    await asyncio.sleep(SECONDS)
    after = service.cost()
    seen = await watching.seen()
    service.end()
    lines = RATE * SECONDS + 1
    # the last one comes with the end of the build
    waited = [value for one in seen for value in latencies(one)[:-1]]
    live = sum(
        complete(one, lines) and max(latencies(one)) < LIVE * 1000 and one.end == "built"
        for one in seen
    )
    p50, p99, worst = percentile(waited, 0.5), percentile(waited, 0.99), max(waited)
    cost = (after.cpu - before.cpu) / (viewers * RATE * SECONDS) * 1e6
    aim = "p99 < 100 ms" if viewers == 500 else ""
    return Row(
        "P2",
        f"{viewers} viewers, {RATE} lines/s",
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.0f} ms; {live} of {viewers} live;"
        f" {cost:.0f} us CPU per line and viewer",
        aim,
        {
            "viewers": viewers,
            "p50_ms": p50,
            "p99_ms": p99,
            "worst_ms": worst,
            "live": live,
            "cpu_us_per_delivery": cost,
            "cores": after.cores(before),
        },
    )


def _begin(go) -> None:
    """Let the lines of a build begin in a moment."""
    made = go.with_suffix(".new")
    made.write_text(str(time.monotonic() + 0.1))
    made.rename(go)


async def memory(stage: Stage) -> AsyncIterator[Row]:
    """P3: memory and threads per viewer, and per build that runs."""
    yield await _per_viewer(stage, 1000)
    yield await _per_build(stage, 1000)


async def _per_viewer(stage: Stage, viewers: int) -> Row:
    go = stage.folder / "go-memory"
    service = await stage.service(go_file=str(go), rate=RATE, lines=RATE * 5)
    (build,) = await requests(service, ["memory"])
    first = await stage.watch(service, [events(build)])
    before = service.cost()
    watching = await stage.watch(service, [events(build)] * viewers)
    await asyncio.sleep(1)
    quiet = service.cost()
    _begin(go)
    await asyncio.sleep(3)
    busy = service.cost()
    await watching.seen()
    await first.seen()
    service.end()
    held, used = (quiet.rss - before.rss) / viewers, (busy.rss - before.rss) / viewers
    return Row(
        "P3",
        f"{viewers} viewers of one build",
        f"{held:.1f} KiB per viewer, {used:.1f} KiB while lines come;"
        f" threads {before.threads} -> {busy.threads}",
        "< 40 KiB per viewer",
        {"viewers": viewers, "kib_quiet": held, "kib_busy": used, "threads": busy.threads},
    )


async def _per_build(stage: Stage, builds: int) -> Row:
    rate, lines = 2, 40
    service = await stage.service(rate=rate, lines=lines)
    await requests(service, ["warm"])
    before = service.cost()
    ids = await requests(service, [f"many-{number}" for number in range(builds)])
    await asyncio.sleep(8)
    after = service.cost()
    assert len(set(ids)) == builds
    service.end()
    each = (after.rss - before.rss) / builds
    return Row(
        "P3",
        f"{builds} builds, {rate} lines/s each",
        f"{each:.1f} KiB per build; threads {before.threads} -> {after.threads};"
        f" {after.cores(before):.2f} cores",
        "< 600 KiB per build",
        {"builds": builds, "kib": each, "threads": after.threads, "cores": after.cores(before)},
    )
