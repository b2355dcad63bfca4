"""Control groups for containers, where nothing on the machine has set them up: in a container.

A machine with systemd needs none of this.  Source of the layout: cgroups(7).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from tools.demo.state import Unusable

_ROOT = Path("/sys/fs/cgroup")
#: What was mounted here, to be unmounted again; in the folder of the engine that needed it.
_NOTE = "cgroup-mounts"


def prepare(run: Path) -> None:
    """Make control groups usable.  :raises Unusable: they cannot be."""
    mounted = _mount(controllers(Path("/proc/cgroups").read_text())) if not _kinds() else []
    (run / _NOTE).write_text("".join(f"{path}\n" for path in mounted))
    for path in _read_only():
        _call("mount", "-o", "remount,rw,bind", path)
    if "cgroup2" in _kinds() and (_ROOT / "cgroup.controllers").exists():
        _delegate()
    if not _kinds():
        raise Unusable(
            "this machine has no control groups, which containers need: start the demo on a"
            " machine of its own, or in a container that has them."
        )


def restore(run: Path) -> None:
    """Unmount what :func:`prepare` has mounted."""
    note = run / _NOTE
    with contextlib.suppress(OSError):
        for path in reversed(note.read_text().splitlines()):
            _call("umount", "--lazy", path)
        note.unlink()


def controllers(listed: str) -> list[str]:
    """Names in ``/proc/cgroups`` that are enabled and no part of the second version."""
    rows = [line.split() for line in listed.splitlines() if not line.startswith("#")]
    return [name for name, hierarchy, _, enabled in rows if enabled == "1" and hierarchy != "0"]


def mounts(listed: str) -> list[tuple[str, str, bool]]:
    """Mounts of control groups: path, kind, whether it may be written to.

    :param listed: as ``/proc/self/mountinfo``; source: proc(5).
    """
    found = []
    for line in listed.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[0]
        if fields[4].startswith(str(_ROOT)):
            found.append((fields[4], kind, "rw" in fields[5].split(",")))
    return found


def _mount(names: list[str]) -> list[str]:
    """Mount them as the kernel has them already: each first one by itself, or all of the second."""
    if not names:
        _call("mount", "-t", "cgroup2", "cgroup2", str(_ROOT))
        return [str(_ROOT)]
    _call("mount", "-t", "tmpfs", "-o", "mode=755", "cgroup", str(_ROOT))
    made = [str(_ROOT)]
    for name in names:
        folder = _ROOT / name
        folder.mkdir(exist_ok=True)
        _call("mount", "-t", "cgroup", "-o", name, "cgroup", str(folder))
        made.append(str(folder))
    return made


def _delegate() -> None:
    """Let groups below have controllers: where a root has processes, they have none.

    The machine's own root may have both; that of a container may not.
    """
    if not (_ROOT / "cgroup.type").exists():
        return
    inner = _ROOT / "init"
    with contextlib.suppress(OSError):
        inner.mkdir(exist_ok=True)
        for process in (_ROOT / "cgroup.procs").read_text().split():
            # it may have ended meanwhile
            with contextlib.suppress(OSError):
                (inner / "cgroup.procs").write_text(process)
        for name in (_ROOT / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                (_ROOT / "cgroup.subtree_control").write_text(f"+{name}")


def _kinds() -> set[str]:
    found = mounts(Path("/proc/self/mountinfo").read_text())
    return {kind for _, kind, _ in found if kind.startswith("cgroup")}


def _read_only() -> list[str]:
    found = mounts(Path("/proc/self/mountinfo").read_text())
    return [path for path, _, writable in found if not writable or not os.access(path, os.W_OK)]


def _call(*words: str) -> None:
    subprocess.run(words, check=False, capture_output=True)  # noqa: S603
