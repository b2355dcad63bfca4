"""The cluster to test on, as the environment describes it, and programs that reach it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VARIABLES = {
    "registry": "IB_REGISTRY",
    "open_registry": "IB_OPEN_REGISTRY",
    "username": "IB_REGISTRY_USERNAME",
    "password": "IB_REGISTRY_PASSWORD",
    "ca": "IB_REGISTRY_CA",
    "git": "IB_GIT",
    "git_dir": "IB_GIT_DIR",
    "node_address": "IB_NODE_ADDRESS",
    "audit_log": "IB_AUDIT_LOG",
    "kubeconfig": "KUBECONFIG",
}


@dataclass(frozen=True)
class ClusterEnv:
    """Where everything is; addresses are as pods see them."""

    registry: str  #: host and port; wants a login
    open_registry: str  #: host and port of the base images
    username: str
    password: str
    ca: str  #: path of the registries' CA
    git: str  #: ``git://<address>``
    git_dir: str  #: folder of that server's work trees
    node_address: str  #: this machine
    audit_log: str  #: path of the API server's audit log
    kubeconfig: str  #: path; cluster-admin, for the tests' own hands only

    @property
    def singleuser(self) -> str:
        """An image that runs a user's server."""
        return f"{self.open_registry}/singleuser:1"


def missing() -> list[str]:
    """Names of the variables that are not set."""
    return [name for name in _VARIABLES.values() if not os.environ.get(name)]


def read() -> ClusterEnv:
    """The environment as a record; all variables have to be set."""
    return ClusterEnv(**{key: os.environ[name] for key, name in _VARIABLES.items()})


@dataclass(frozen=True)
class Program:
    """A command-line program that talks to the cluster; called with its arguments."""

    name: str
    kubeconfig: str

    def __call__(
        self, *args: str, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> str:
        """Run it; what it printed, or an error that carries what it complained about."""
        done = subprocess.run(
            [self.name, *args],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env=os.environ | {"KUBECONFIG": self.kubeconfig} | (env or {}),
        )
        if done.returncode:
            message = f"{self.name} {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}"
            raise RuntimeError(message)
        return done.stdout


def git(folder: Path, *args: str) -> str:
    """Run git in ``folder`` as nobody in particular."""
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    command: list[Any] = ["git", "-c", f"safe.directory={folder}", *who, "-C", folder, *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
