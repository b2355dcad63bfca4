"""The process that keeps an engine of the demo's own, from its bridge to its last container.

    python -m tools.demo.keeper run NAME SUBNET RUN DATA GROUP
    python -m tools.demo.keeper remove NAME SUBNET RUN DATA GROUP

Runs as root.  `run` prints one line of JSON when the engine answers, and ends it when its own
standard input ends: so nothing stays where the demo was killed.  `remove` removes what a run that
was killed itself has left, and all that the engine has kept.  SUBNET is that of the last time, or
`-`; GROUP is the number of the group that may use the socket.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.demo import cgroups, leftovers, machine, network
from tools.demo.api import Api
from tools.demo.state import Unusable

#: Seconds.
_STARTS = 90.0
_STOPS = 30.0
_NAP = 0.05
#: What the admin has set for engines on this machine and a second one has to respect.
_ADMINS = ("dns", "dns-opts", "dns-search", "insecure-registries", "mtu", "registry-mirrors")
_ADMINS_FILE = Path("/etc/docker/daemon.json")
#: Kubernetes' part wants a socket that is another's; the other one makes folders in /opt.
_CONTAINERD = (
    "version = 2\n"
    'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
)


class Keeper:
    """One private engine.

    :param name: of its bridge.
    :param run: for sockets; :param data: for all that it keeps.
    """

    def __init__(self, name: str, run: Path, data: Path) -> None:
        self.name = name
        self.run = run
        self.data = data
        #: what is below here is the engine's: processes and mounts are known by it
        self.exec = run / "exec"
        self.host = f"unix://{socket_of(run)}"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, before: str | None, group: int) -> network.Network:
        """Start it; returns when it answers.

        :param before: the subnet of the last time.
        """
        self.clean()
        for folder in (self.data, self.exec):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        leftovers.note_missing(self.data / "outside.json")
        cgroups.prepare(self.run)
        net = network.plan(self.name, before)
        net.up()
        containerd = self._start_containerd()
        self._start(
            "dockerd",
            f"--host={self.host}",
            f"--containerd={containerd}",
            f"--config-file={self._config()}",
            f"--data-root={self.data}",
            f"--exec-root={self.exec}",
            f"--pidfile={self.exec / 'dockerd.pid'}",
            f"--bridge={self.name}",
            f"--group={group}",
            "--iptables=false",
            "--ip6tables=false",
            "--shutdown-timeout=5",
        )
        self._wait(Api(self.host).answers)
        return net

    def stop(self) -> None:
        """End it, and remove what it needs while it runs."""
        for process in reversed(self._started):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOPS)
        self.clean()

    def clean(self) -> None:
        """Remove all but what it keeps."""
        leftovers.end(self.exec, self.data)
        leftovers.unmount(self.exec, self.data)
        network.down(self.name)
        cgroups.restore(self.run)
        shutil.rmtree(self.exec, ignore_errors=True)
        socket_of(self.run).unlink(missing_ok=True)

    def _start_containerd(self) -> Path:
        """One of its own: the machine's, if there is one, is another engine's."""
        folder = self.exec / "containerd"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(_CONTAINERD)
        address = folder / "containerd.sock"
        self._start(
            "containerd",
            f"--config={folder / 'config.toml'}",
            f"--address={address}",
            f"--root={self.data / 'containerd'}",
            f"--state={folder / 'state'}",
        )
        self._wait(address.exists)
        return address

    def _config(self) -> Path:
        try:
            admins = json.loads(_ADMINS_FILE.read_text())
        except (OSError, ValueError):
            admins = {}
        path = self.exec / "daemon.json"
        path.write_text(json.dumps({key: admins[key] for key in _ADMINS if key in admins}))
        return path

    def _start(self, name: str, *options: str) -> None:
        path = machine.program(name)
        if path is None:
            raise Unusable(f"{name} is missing: install docker.io.")
        # a keeper that is killed takes its engine with it
        dying = ["setpriv", "--pdeathsig", "TERM"]
        self._started.append(
            subprocess.Popen(  # noqa: S603
                [*dying, path, *options],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                start_new_session=True,
            )
        )

    def _wait(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + _STARTS
        while not ready():
            if self.ended or time.monotonic() > end:
                raise Unusable("the container engine did not start")
            time.sleep(_NAP)

    @property
    def ended(self) -> bool:
        """Whether a part of it has ended by itself."""
        return any(process.poll() is not None for process in self._started)


def socket_of(run: Path) -> Path:
    """Where the engine listens."""
    return run / "docker.sock"


def keep(keeper: Keeper, before: str | None, group: int) -> None:
    """Start the engine, say so, and end it when nobody wants it any more."""
    wanted = _Wanted()
    try:
        net = keeper.start(before, group)
        _tell(gateway=net.gateway, subnet=str(net.subnet))
        while wanted.still() and not keeper.ended:
            pass
    finally:
        keeper.stop()


class _Wanted:
    """Ends with standard input, SIGTERM or SIGHUP; Ctrl-C is for the demo, which needs time."""

    def __init__(self) -> None:
        self._end = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self._end = True

    def still(self) -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], 1.0)
        return not self._end and not (ready and not os.read(sys.stdin.fileno(), 1024))


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Let an older keeper finish."""
    run.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (run / "keeper.lock").open("w") as lock:
        end = time.monotonic() + 2 * _STOPS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unusable(
                        "another demo uses this folder's engine: end it first."
                    ) from None
                time.sleep(_NAP)
            else:
                break
        yield


def _tell(**what: Any) -> None:
    # whoever asked may be gone
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """The commands that the module's docstring shows."""
    command, name, before, run, data, group = words
    keeper = Keeper(name, Path(run), Path(data))
    try:
        with _alone(keeper.run):
            if command == "remove":
                keeper.clean()
                leftovers.remove_noted(keeper.data / "outside.json")
                shutil.rmtree(keeper.data, ignore_errors=True)
            else:
                keep(keeper, None if before == "-" else before, int(group))
    except Unusable as error:
        _tell(error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
