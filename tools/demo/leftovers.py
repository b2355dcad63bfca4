"""What an engine of the demo's own leaves: processes and mounts where it was killed, and traces."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Seconds that processes get to end by themselves, and then to go.
_GRACE = 10.0
_NAP = 0.05

#: What an engine makes outside of the folders that it is given, the innermost first.
OUTSIDE = tuple(
    Path(path)
    for path in (
        "/etc/docker/key.json",
        "/etc/docker",
        "/run/docker/plugins",
        "/run/docker",
        "/run/containerd/s",
        "/run/containerd",
    )
)


def note_missing(note: Path, outside: Sequence[Path] = OUTSIDE) -> None:
    """Note what is not there before an engine starts for the first time.

    :param note: file to write; one that is there stays.
    """
    if not note.exists():
        note.write_text(json.dumps([str(path) for path in outside if not path.exists()]))


def remove_noted(note: Path) -> None:
    """Remove what was not there before, as far as nobody else has put something into it."""
    try:
        paths = json.loads(note.read_text())
    except (OSError, ValueError):
        return
    for path in map(Path, paths):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def end(run: Path, data: Path) -> None:
    """End all processes of an engine: its own, its helpers, what runs in its containers.

    :param run: its folder for sockets, named by the first ones' arguments.
    :param data: its containers' ids are the names of folders in there.
    """
    _send(list(processes(run, data)), signal.SIGTERM)
    if not _gone(run, data):
        _send(list(processes(run, data)), signal.SIGKILL)
        _gone(run, data)


def processes(run: Path, data: Path) -> Iterator[int]:
    """Ids of an engine's processes."""
    containers = _names(data / "containers")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes()
            group = (process / "cgroup").read_text() if containers else ""
            if belongs(arguments, group, run, containers):
                yield int(process.name)


def belongs(arguments: bytes, group: str, run: Path, containers: set[str]) -> bool:
    """Whether a process is an engine's.

    :param arguments: as ``/proc/PID/cmdline``; :param group: as ``/proc/PID/cgroup``.
    """
    if f"{run}/".encode() in arguments or f"={run}\0".encode() in arguments:
        return True
    # a runtime on systemd names the group docker-ID.scope
    parts = {
        part.removeprefix("docker-").removesuffix(".scope")
        for line in group.splitlines()
        for part in line.split("/")
    }
    return not parts.isdisjoint(containers)


def unmount(*folders: Path) -> None:
    """Unmount folders, which an engine binds to themselves, and all that is below them."""
    with contextlib.suppress(OSError):
        for path in below(Path("/proc/self/mountinfo").read_text(), *folders):
            subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)  # noqa: S603, S607


def below(mounts: str, *folders: Path) -> list[str]:
    """Paths of mounts at and below folders, the innermost first.

    :param mounts: as ``/proc/self/mountinfo``; source of its escapes: proc(5).
    """
    paths = [line.split()[4] for line in mounts.splitlines()]
    plain = [path.encode().decode("unicode_escape").encode("latin-1").decode() for path in paths]
    return [path for path in reversed(plain) if any(Path(path).is_relative_to(f) for f in folders)]


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _send(ids: list[int], number: signal.Signals) -> None:
    for process in ids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _gone(run: Path, data: Path) -> bool:
    """Wait until they are."""
    limit = time.monotonic() + _GRACE
    while time.monotonic() < limit:
        if not any(True for _ in processes(run, data)):
            return True
        time.sleep(_NAP)
    return False
