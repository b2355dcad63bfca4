"""A PostgreSQL of the tests' own, from the distribution's package, on a socket in a folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

USER = "imagebuilder"
PASSWORD = "a-password: 'with' %20 all/sorts@of"
_FOLDERS = "/usr/lib/postgresql/*/bin/initdb"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # it is never the machine that fails here
    "max_connections": "40",
    "shared_buffers": "16MB",
    "log_min_messages": "fatal",
}


def binaries() -> Path | None:
    """The folder with initdb and postgres; None where there is none."""
    found = sorted(Path("/").glob(_FOLDERS.removeprefix("/")))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def missing() -> str | None:
    """Why there is no PostgreSQL to test on; None when there is one."""
    if binaries() is None:
        return "no PostgreSQL: initdb is neither in /usr/lib/postgresql nor on PATH"
    if os.geteuid() == 0 and _account() is None:
        return "no PostgreSQL: it does not run as root, and there is no other account"
    return None


def _account() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


class Postgres:
    """A server, which can be stopped and started again."""

    def __init__(self) -> None:
        # short: the path of a socket has little room; not pytest's: that is root's alone
        self.folder = Path(tempfile.mkdtemp(prefix="ib-pg-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.password_file = self.folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self._data = self.folder / "data"
        self._as = {}
        self._process: subprocess.Popen | None = None
        if os.geteuid() == 0:
            account = _account()
            shutil.chown(self.folder, account)
            shutil.chown(self.password_file, account)
            self._as = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}
        initdb = [binaries() / "initdb", "-D", self._data, "-U", USER, "-E", "UTF8"]
        initdb += ["--no-sync", "--locale=C", "--auth=scram-sha-256"]
        subprocess.run(
            [*initdb, f"--pwfile={self.password_file}"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as,
        )

    def url(self, database="postgres") -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def start(self) -> None:
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        options.append(f"-cunix_socket_directories={self.folder}")
        self._process = subprocess.Popen(
            [binaries() / "postgres", "-D", self._data, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._as,
        )
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            ready = [binaries() / "pg_isready", "-q", "-h", self.folder, "-t", "1"]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL does not start")

    def stop(self) -> None:
        """End it as `pg_ctl stop -m fast` does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)

    def signal(self, number) -> None:
        """Send a signal to all of its processes, which are in a group of their own each."""
        parent = self._process.pid
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True
        )
        for process in (parent, *map(int, listed.stdout.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def sql(self, statement, database="postgres") -> str:
        psql = [binaries() / "psql", "-qAt", "-h", self.folder, "-U", USER, "-d", database]
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(
            [*psql, "-v", "ON_ERROR_STOP=1", "-c", statement],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        return done.stdout.strip()

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
