"""``python -m tests.benchmarks [P1 P2 …]``: a table, and ``build/bench.json`` beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import (
    bursts,
    cluster,
    machine,
    moments,
    p4_cached,
    p5_registry,
    real,
    restart,
    watching,
)
from tests.benchmarks.bench import ROOT, Row, Stage, stage

PARTS: dict[str, Callable[[Stage], AsyncIterator[Row]]] = {
    "P1": cluster.api_requests,
    "P2": watching.line_latency,
    "P3": watching.memory,
    "P4": p4_cached.cached_answers,
    "P5": p5_registry.registry_requests,
    "P6": moments.push_to_ready,
    "P7": moments.request_to_line,
    "P8": bursts.builds_per_burst,
    "P9": restart.restarts,
    "P10": moments.idle,
    "COST": cluster.many_builds,
    "REAL": real.real_builds,
}


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def measure(name: str, rows: list[dict[str, Any]]) -> None:
    """One part of the table; its rows are told as they come."""
    with tempfile.TemporaryDirectory(prefix="imagebuilder-bench-") as folder:
        async with stage(Path(folder)) as ours, aclosing(PARTS[name](ours)) as found:
            async for row in found:
                load = machine.load()
                aim = f"  [aim: {row.aim}]" if row.aim else ""
                say(f"{row.name:<6}{row.load:<34}{row.figure}{aim}  (load {load.split()[0]})")
                rows.append(asdict(row) | {"load_average": load})


def main(names: list[str]) -> int:
    """Measure what is named, or everything.

    :returns: the exit code: 1 where something could not be measured, whatever the figures are.
    """
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        say(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(PARTS)}.")
        return 2
    # what was started ends with us, however we end
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    os.sched_setaffinity(0, {machine.cores()[1]})
    rows: list[dict[str, Any]] = []
    report = {"machine": machine.description(), "load_before": machine.load(), "rows": rows}
    for key, value in report["machine"].items():
        say(f"{key:<15}{json.dumps(value)}")
    say(f"{'load before':<15}{report['load_before']}\n")
    failed = 0
    for name in names or PARTS:
        began = time.monotonic()
        try:
            asyncio.run(measure(name, rows))
        except Exception as error:  # noqa: BLE001 -- the other parts are worth having
            failed = 1
            say(f"{name:<6}not measured: {type(error).__name__}: {error}")
        say(f"      {time.monotonic() - began:.0f} s")
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    say(f"\n{path.relative_to(ROOT)} has the same figures for programs.")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
