"""A container engine of a test's own, which may be killed, filled up and tidied."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

import docker

#: Of the folder that the engine keeps everything in, which is memory.
DISK = "3g"


class OwnEngine:
    """A dockerd with a folder, a socket and a bridge of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"ibt{uuid.uuid4().hex[:8]}"
        self.socket = folder / "engine.sock"
        self.host = f"unix://{self.socket}"
        self._process: subprocess.Popen | None = None

    def install(self) -> None:
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}", self.name, self.disk)
        run("ip", "link", "add", self.name, "type", "bridge")
        third = int(self.name[-2:], 16)
        run("ip", "addr", "add", f"172.28.{third}.1/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        self.start()

    def uninstall(self) -> None:
        self.stop()
        self._end_the_rest()
        subprocess.run(["ip", "link", "del", self.name], check=False)
        for mounted in reversed(self._mounts()):
            subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def disk(self) -> Path:
        """Everything that the engine keeps."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and return when it answers."""
        pid_file = self.folder / "pid"
        # what was killed may look alive to its successor where nobody has waited for it
        for stale in (pid_file, self.folder / "run" / "containerd" / "containerd.pid"):
            stale.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host={self.host}",
                    f"--data-root={self.disk}",
                    f"--exec-root={self.folder / 'run'}",
                    f"--pidfile={pid_file}",
                    f"--bridge={self.name}",
                    # as an admin may have it: of a container that says nothing, nothing is kept
                    "--log-driver=none",
                    "--iptables=false",
                    "--ip6tables=false",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.client().ping()
            except (docker.errors.DockerException, OSError):
                time.sleep(0.2)
            else:
                return
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """What a crash does."""
        self._process.kill()
        self._process.wait(60)

    def client(self) -> docker.APIClient:
        return docker.APIClient(self.host, version="auto")

    def fill(self, left: int) -> Path:
        """Fill its disk up, but for so many bytes; the file to remove."""
        path = self.disk / "filler"
        free = shutil.disk_usage(self.disk).free
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - left)
        return path

    def _end_the_rest(self) -> None:
        """End what an engine that was killed left running: containerd, and containers' shims."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    def _mounts(self) -> list[str]:
        with Path("/proc/mounts").open() as mounts:
            found = [line.split()[1] for line in mounts]
        return [path for path in found if path.startswith(f"{self.folder}/")]


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
