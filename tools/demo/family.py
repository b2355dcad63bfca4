"""Processes of this machine, and whose children they are.

Source of the format: ``proc(5)``, ``/proc/<pid>/stat``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_INTERVAL = 0.1


class Process(NamedTuple):
    """One process for ever: a pid is given to others later."""

    pid: int
    started: str  #: boot and clock ticks

    def lives(self) -> bool:
        """Whether it is there still."""
        return identify(self.pid) == self


class _Stat(NamedTuple):
    parent: int
    process: Process


def end_all(
    roots: Iterable[int], known: set[Process], seconds: float, hurry: Callable[[], bool]
) -> None:
    """Ask the roots to end, which end the others; what lives on after that is killed."""
    asked = [each for each in known if each.pid in set(roots) and each.lives()]
    # without their root nobody else asks them
    _send(signal.SIGTERM, asked or known)
    deadline = time.monotonic() + seconds
    while any(each.lives() for each in known) and time.monotonic() < deadline and not hurry():
        time.sleep(_INTERVAL)
    _send(signal.SIGKILL, known | family(each.pid for each in known if each.lives()))


def _send(number: int, processes: Iterable[Process]) -> None:
    for each in processes:
        if each.lives():
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, number)


def identify(pid: int) -> Process | None:
    """The process of that number; None when there is none, or only its exit code."""
    stat = _stat(pid)
    return None if stat is None else stat.process


def family(pids: Iterable[int]) -> set[Process]:
    """These processes, and all that come from them."""
    table = _table()
    wanted, found = set(pids), set[Process]()
    while True:
        more = {
            each.process for each in table if each.process.pid in wanted or each.parent in wanted
        } - found
        if not more:
            return found
        found |= more
        wanted |= {each.pid for each in more}


def children_of(pids: Iterable[int]) -> set[Process]:
    """What these processes have started themselves."""
    wanted = set(pids)
    return {each.process for each in _table() if each.parent in wanted}


def read(memory: Path) -> set[Process]:
    """The processes in a file; none, where it cannot be read."""
    try:
        listed = json.loads(memory.read_text("utf-8"))
        return {Process(int(pid), str(started)) for pid, started in listed}
    except (OSError, ValueError, TypeError):
        return set()


def write(memory: Path, processes: Iterable[Process]) -> None:
    """Keep processes in a file."""
    part = memory.with_suffix(".part")
    part.write_text(json.dumps(sorted(processes)), "utf-8")
    part.replace(memory)


def _table() -> list[_Stat]:
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [stat for stat in map(_stat, pids) if stat is not None]


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = _BOOT.read_text("utf-8").strip()
    except OSError:
        return None
    # the name, in parentheses, may hold anything; the fields behind it begin with the third
    fields = text.rpartition(")")[2].split()
    state, parent, started = fields[0], int(fields[1]), fields[19]
    if state in {"Z", "X"}:
        return None
    return _Stat(parent, Process(pid, f"{boot} {started}"))
