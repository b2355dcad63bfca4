"""Servers of a test's own that can be killed, so that nobody else's builds notice."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cluster.environment import git
from tests.integration.cluster.faults.parts import kill
from tests.integration.cluster.polling import until


@dataclass
class Server:
    """A program that listens at an address, and may be killed and started again."""

    address: str  #: host and port
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it takes connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        until(self._listens, what=f"{self.command[0]} at {self.address}", seconds=20)

    def kill(self) -> None:
        """End it as the kernel's out-of-memory killer would."""
        if self.process is not None:
            kill(self.process.pid)
            self.process.wait()
            self.process = None

    def _listens(self) -> bool:
        host, _, port = self.address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=2).close()
        return True


def registry(folder: Path, address: str) -> Server | None:
    """A registry over plain HTTP without a login; None where its program is not installed.

    Its configuration is that of docker-registry (distribution 2.8): YAML, so JSON will do.
    """
    program = shutil.which("docker-registry")
    if program is None:
        return None
    config = folder / "registry.yml"
    settings = {
        "version": "0.1",
        "log": {"level": "warn"},
        "http": {"addr": address},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
    }
    config.write_text(json.dumps(settings))
    return Server(address, [program, "serve", str(config)], folder / "registry.log")


def git_server(folder: Path, repositories: Path, host: str) -> Server:
    """A git server for the same repositories, at a port of its own."""
    with socket.socket() as one:
        one.bind((host, 0))
        port = one.getsockname()[1]
    program = Path(git(folder, "--exec-path")) / "git-daemon"
    command = [str(program), "--reuseaddr", f"--base-path={repositories}", "--export-all"]
    command += [f"--listen={host}", f"--port={port}"]
    return Server(f"{host}:{port}", command, folder / "git.log")
