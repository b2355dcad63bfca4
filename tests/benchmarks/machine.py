"""What the machine is, what it does meanwhile, and what one process costs; from ``/proc``."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_LIBRARIES = ("jupyterhub-imagebuilder", "tornado", "aiohttp", "kubernetes_asyncio", "sqlalchemy")


@dataclass(frozen=True)
class Cost:
    """What a process has used and holds at one moment."""

    at: float  #: seconds of the monotonic clock
    cpu: float  #: seconds, of all its threads, in user and kernel mode
    rss: float  #: KiB
    threads: int

    @classmethod
    def of(cls, pid: int) -> Cost:
        """Read it from ``/proc/<pid>``, whose format is that of proc(5)."""
        process = Path("/proc", str(pid))
        # the second field is the program's name, which may have blanks and brackets
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        resident = int((process / "statm").read_text().split()[1])
        return cls(
            at=time.monotonic(),
            cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
            rss=resident * _PAGE / 1024,
            threads=int(fields[17]),
        )

    def cores(self, before: Cost) -> float:
        """Cores that were busy on average since ``before``."""
        return (self.cpu - before.cpu) / (self.at - before.at)


_CORES = sorted(os.sched_getaffinity(0))  # before this process goes to one of them


def cores() -> tuple[int, int]:
    """The core of what is measured, and that of what measures; the same where there is one."""
    return _CORES[0], _CORES[-1]


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def description() -> dict[str, Any]:
    """What a reader has to know of the machine to make sense of a figure."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cores": len(_CORES),
        "processor": models[0] if models else platform.machine(),
        "memory_gib": round(int(memory) / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the others lies; of one value, that one.

    :param share: 0.5 for the median, 0.99.
    """
    if not values:
        return float("nan")
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
