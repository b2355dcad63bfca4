"""Where a demo runs, and how it is started there: this machine, as a newcomer's shell would."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Protocol

#: What a login shell has; nothing of the environment that the tests run in gets through.
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Process(Protocol):
    """A program with a process group of its own."""

    pid: int  #: as this machine counts

    def code(self) -> int | None:
        """Its exit code; None while it runs."""

    def output(self) -> str:
        """What it has printed so far."""


class Machine(Protocol):
    """A machine for a newcomer."""

    #: Words before a command of this machine's, so that 127.0.0.1 is the newcomer's.
    inside: tuple[str, ...]

    def start(self, *words: str, **variables: str) -> Process:
        """Start a command in the clone, with these variables and no others."""

    def left(self) -> list[str]:
        """Processes that came from the clone and still run, and ports they listen on."""


class LocalProcess:
    """A program on this machine."""

    def __init__(self, words: list[str], log: Path, **options: object) -> None:
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self.pid = self._process.pid

    def code(self) -> int | None:
        return self._process.poll()

    def output(self) -> str:
        return self._log.read_text(errors="replace")


class ThisMachine:
    """The machine that the tests run on, without anything of the one who runs them.

    :param clone: the project's files.
    :param home: an empty folder.
    :param user: the name to run as; None is the tests' own.
    """

    inside: tuple[str, ...] = ()

    def __init__(self, clone: Path, home: Path, user: str | None = None) -> None:
        self.clone = clone
        self._home = home
        self._user = user
        self._logs = 0

    def start(self, *words: str, **variables: str) -> Process:
        self._logs += 1
        return LocalProcess(
            list(words),
            self.clone.parent / f"output-{self._logs}",
            cwd=self.clone,
            env={"HOME": str(self._home), "PATH": STANDARD_PATH, **variables},
            user=self._user,
            group=self._user and os.getgid(),
            extra_groups=self._user and [],
        )

    def left(self) -> list[str]:
        return sorted(self.processes().values())

    def end_the_rest(self) -> None:
        """For a test that failed: nothing of the demo outlives it."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """Whose command, folder or environment has to do with the clone."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                traces = command, (folder / "environ").read_bytes(), os.fsencode(_cwd(folder))
                if command and any(os.fsencode(self.clone) in trace for trace in traces):
                    words = command.replace(b"\0", b" ").decode(errors="replace")
                    found[int(folder.name)] = words.strip()
        return found


def _cwd(process: Path) -> str:
    with contextlib.suppress(OSError):
        return str((process / "cwd").readlink())
    return ""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
