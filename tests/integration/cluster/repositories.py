"""Git repositories of a test's own, on the cluster's git server."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cluster.environment import ClusterEnv, git


@dataclass(frozen=True)
class Repository:
    """A repository that builds can clone."""

    url: str
    folder: Path

    def commit(self, name: str = "notes.txt", text: str | None = None) -> str:
        """Change a file (to something new, unless told what); the new commit's id."""
        (self.folder / name).write_text(text or secrets.token_hex(8))
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-qm", f"change {name}")
        return self.head()

    def head(self) -> str:
        """The id of the newest commit."""
        return git(self.folder, "rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        """Let a branch begin at the newest commit."""
        git(self.folder, "branch", name)


@contextmanager
def repository(env: ClusterEnv, dockerfile: str) -> Iterator[Repository]:
    """A new repository with one commit; gone afterwards."""
    folder = Path(env.git_dir) / f"t-{secrets.token_hex(5)}"
    folder.mkdir()
    try:
        git(folder, "init", "-q", "-b", "main")
        (folder / ".git" / "git-daemon-export-ok").touch()
        made = Repository(f"{env.git}/{folder.name}", folder)
        made.commit("Dockerfile", dockerfile)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tiny(env: ClusterEnv, more: str = "") -> str:
    """A Dockerfile that builds in about a second.

    :param more: further lines of it.
    """
    return f"FROM {env.singleuser}\nCOPY Dockerfile /tmp/built-from\n{more}"


def without_jupyter(env: ClusterEnv) -> str:
    """A Dockerfile whose image cannot run a user's server."""
    return f"FROM {env.open_registry}/base:1\nCOPY Dockerfile /tmp/built-from\n"


def hello(env: ClusterEnv, seconds: int = 0) -> str:
    """A Dockerfile that installs a package: some seconds.

    As root: what pip installs for the user goes into the home, which the volume covers.

    :param seconds: for which the build waits behind that.
    """
    last = f"sleep {seconds} && true {secrets.token_hex(4)}"  # new to every engine's cache
    install = f"USER root\nRUN pip install --no-cache-dir cowsay && {last}\nUSER jovyan\n"
    return f"FROM {env.singleuser}\n{install}"


def slow(env: ClusterEnv, seconds: int = 20) -> str:
    """A Dockerfile whose build prints a line every half second, new to every engine's cache."""
    loop = f'for i in $(seq 1 {seconds * 2}); do echo "TICK $i"; sleep 0.5; done'
    loop += f"; true {secrets.token_hex(4)}"
    return f"FROM {env.singleuser}\nRUN {loop}\n"


def broken(env: ClusterEnv) -> str:
    """A Dockerfile that fails in pip."""
    package = "this-package-does-not-exist-0001"
    return f"FROM {env.singleuser}\nRUN pip install --no-cache-dir {package}\n"
