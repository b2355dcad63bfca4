"""The service as a process of its own, without a hub."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.integration.cluster.faults.parts import kill
from tests.integration.cluster.faults.viewer import Viewer
from tests.integration.cluster.hub import REPOSITORY
from tests.integration.cluster.polling import until
from tests.integration.cluster.web import Answer, Api

#: Seconds until a service that was told to stop must have gone.
STOP_LIMIT = 10


@dataclass
class Service:
    """A service with settings of its own; ``start`` may be called again after ``kill``."""

    folder: Path
    kubeconfig: Path
    sections: dict[str, dict[str, Any]]
    id: str = field(default_factory=lambda: f"s{secrets.token_hex(3)}")
    api: Api = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    viewers: list[Viewer] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        token = secrets.token_hex(16)
        tokens = self.folder / "tokens.json"
        tokens.touch(mode=0o600)
        tokens.write_text(json.dumps({"tests": token}))
        ours = {"port": port, "api_tokens_file": str(tokens), "state_dir": str(self.folder)}
        sections = dict(self.sections)
        sections["ImageBuilder"] = sections["ImageBuilder"] | ours
        sections["KubernetesExecutor"] = {"instance": self.id} | sections["KubernetesExecutor"]
        (self.folder / "config.json").write_text(json.dumps(sections))
        self.api = Api(f"http://127.0.0.1:{port}", token)

    @property
    def log(self) -> str:
        """Everything that its processes have said so far."""
        return (self.folder / "service.log").read_text(errors="replace")

    def start(self) -> None:
        """Start the process and return when it takes requests."""
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(REPOSITORY)}
        config = self.folder / "config.json"
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub_imagebuilder", "-f", str(config)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(
            lambda: (
                self.process.poll() is not None
                or self.api("GET", "/api/builds").status == HTTPStatus.OK
            ),
            what="the service's start",
            seconds=40,
        )
        assert self.process.poll() is None, self.tail()

    def kill(self) -> None:
        """End the process as the kernel's out-of-memory killer would."""
        kill(self.process.pid)
        self.process.wait()

    def end(self) -> None:
        """Stop the process and all viewers."""
        for viewer in self.viewers:
            viewer.stop()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def ask(self, repository: str) -> Answer:
        """Ask for a repository's image."""
        return self.api("POST", "/api/builds", {"repository": repository})

    def build(self, repository: str) -> Viewer:
        """Ask for a build, which has to be accepted; a viewer of it."""
        answer = self.ask(repository)
        assert answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}, answer
        viewer = Viewer(self.api, answer.body["id"], answer.body["image"])
        self.viewers.append(viewer)
        return viewer

    def document(self, viewer: Viewer) -> dict[str, Any]:
        """The build as the service knows it."""
        return self.api("GET", f"/api/builds/{viewer.build}").body

    def tail(self, lines: int = 60) -> str:
        """The end of the log, for a failure's report."""
        return "\n".join(self.log.splitlines()[-lines:])
