"""The parts of the cluster as processes of this machine, which a test may kill.

They are those that ``../shared/cluster/cluster`` starts: each has a file with its process id, and
is started again by ``cluster up``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cluster.hub import REPOSITORY

PROGRAM = REPOSITORY.parent / "shared" / "cluster" / "cluster"


@dataclass(frozen=True)
class Parts:
    """The parts of one cluster."""

    folder: Path  #: holds ``pids/<part>``

    def missing(self) -> str | None:
        """Why parts cannot be killed here; None when they can."""
        if not PROGRAM.exists():
            return f"{PROGRAM} is not there to start parts again"
        if os.geteuid() != 0:
            return "only root may kill parts of the cluster"
        try:
            self.pid("apiserver")
        except LookupError as e:
            return str(e)
        return None

    def pid(self, part: str) -> int:
        """The process of a part, which says itself that it is that part."""
        file = self.folder / "pids" / part
        with suppress(OSError, ValueError):
            pid = int(file.read_text())
            if f"IB_CLUSTER_PART={part}".encode() in environ(pid).split(b"\0"):
                return pid
        message = f"{part} is no running process of {file}"
        raise LookupError(message)

    def kill(self, part: str) -> None:
        """End a part as the kernel's out-of-memory killer would."""
        kill(self.pid(part))

    def ask_anew(self) -> None:
        """Have the cluster start pods at once again, after its API server was away.

        Who watches and lost it waits before it asks again, for longer after each time: up to half
        a minute and as much again by chance.  A new process asks when it starts.  No build may be
        under way: a kubelet that ends breaks off what it is starting.
        """
        self.up()  # what is not running cannot be killed
        for part in ("scheduler", "controller-manager", "kubelet"):
            self.kill(part)
        self.up()

    def up(self) -> None:
        """Start what is not running; returns when all of it answers."""
        subprocess.run(
            [PROGRAM, "up"],
            check=True,
            capture_output=True,
            timeout=120,
            env=os.environ | {"IB_CLUSTER_STATE": str(self.folder)},
        )


def environ(pid: int) -> bytes:
    """The environment with which a process began; proc(5)."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def kill(pid: int) -> None:
    """SIGKILL, and return when the process is no more."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    message = f"process {pid} outlived its SIGKILL"
    raise TimeoutError(message)


def engine_pid(socket: str) -> int:
    """The process of the engine in a pod that listens at this socket."""
    wanted = f"--host=unix://{socket}".encode()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"dockerd") and wanted in words:
                    return int(path.name)
    message = f"no engine listens at {socket}"
    raise LookupError(message)
