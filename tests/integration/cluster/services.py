"""The service alone, without a hub, as a process that a test may kill and start again."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.integration.cluster.engine import Engine
from tests.integration.cluster.environment import ClusterEnv
from tests.integration.cluster.polling import until
from tests.integration.cluster.web import Answer, Api

REPOSITORY = Path(__file__).parents[3]
TERMINAL = frozenset({"built", "failed", "cancelled"})
#: Seconds after which an orderly end must have happened.
STOP_LIMIT = 10

Seen = tuple[str | None, dict[str, Any]]


@dataclass
class Service:
    """One service: its folder, its address, and the process that is alive now."""

    folder: Path
    config: dict[str, dict[str, Any]]
    kubeconfig: Path
    tokens: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    #: of the newest process's start, by the monotonic clock
    started: float = 0.0
    logs: list[Path] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The service's address, the same after each start."""
        return f"http://127.0.0.1:{self.config['ImageBuilder']['port']}"

    @property
    def log(self) -> str:
        """What all its processes said."""
        return "\n".join(path.read_text(errors="replace") for path in self.logs)

    def api(self, who: str = "ann") -> Api:
        """Its API, as the one with that token calls it."""
        return Api(self.url, self.tokens[who])

    def start(self, *, ready: bool = True) -> None:
        """Start a process; return when it is ready to build, or at once."""
        assert self.process is None
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config))
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(REPOSITORY)}
        self.logs.append(self.folder / f"service-{len(self.logs)}.log")
        with self.logs[-1].open("wb") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub_imagebuilder", "-f", str(path)],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready:
            until(self.ready, what="a service that is ready", seconds=30, every=0.05)

    def ready(self) -> bool:
        """Whether it answers for builds."""
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return self.api()("GET", "/api/builds").status == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """End the process as the kernel's out-of-memory killer would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """End the process in order, if there is one."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT)
        finally:
            self.process.kill()
            self.process = None

    def heir(self, folder: Path) -> Service:
        """Another process of this very service, state folder and all, at an address of its own."""
        folder.mkdir()
        ours = self.config["ImageBuilder"] | {"port": _free_port()}
        config = self.config | {"ImageBuilder": ours}
        return Service(folder, config, self.kubeconfig, self.tokens)

    def ask(self, repository: str, who: str = "ann") -> Answer:
        """Ask for a build."""
        return self.api(who)("POST", "/api/builds", {"repository": repository})

    def build(self, build_id: str, who: str = "ann") -> dict[str, Any]:
        """A build as the service describes it."""
        answer = self.api(who)("GET", f"/api/builds/{build_id}")
        assert answer.status == 200, answer
        return answer.body

    def events(
        self, build_id: str, after: str | None = None, who: str = "ann", seconds: float = 120
    ) -> Iterator[Seen]:
        """The build's events with their ids, until the stream ends, in whichever way."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        if after is not None:
            headers["Last-Event-ID"] = after
        address = f"{self.url}/api/builds/{build_id}/events"
        with requests.get(address, headers=headers, stream=True, timeout=seconds) as answer:
            answer.raise_for_status()
            line_id = None
            try:
                for line in answer.iter_lines(chunk_size=1):
                    if line.startswith(b"id: "):
                        line_id = line.removeprefix(b"id: ").decode()
                    elif line.startswith(b"data: "):
                        yield line_id, json.loads(line.removeprefix(b"data: "))
                        line_id = None
            except requests.exceptions.ChunkedEncodingError:
                return  # it was killed in the midst of it

    def until_event(self, build_id: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Return at the first event that is wanted, or at the end of the stream."""
        for _, event in self.events(build_id):
            if wanted(event):
                return

    def outcome(self, build_id: str) -> dict[str, Any]:
        """The last event of a build."""
        *_, (_, last) = self.events(build_id)
        assert last.get("phase") in TERMINAL, (last, self.log[-3000:])
        return last


def says(text: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an event is a line with that text."""
    return lambda event: event["type"] == "log" and text in event["text"]


def enters(phase: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an event is that phase's beginning."""
    return lambda event: event["type"] == "phase" and event["phase"] == phase


@contextmanager
def service(
    folder: Path,
    env: ClusterEnv,
    engine: Engine,
    kubeconfig: Path,
    image_prefix: str,
    **options: Any,
) -> Iterator[Service]:
    """A service that runs; it has a state folder of its own.

    :param options: of ``ImageBuilder``; what is of ``KubernetesExecutor`` is the same for all.
    """
    folder.mkdir()
    tokens = {name: secrets.token_hex(16) for name in ("ann", "ben", "cora")}
    tokens_path = folder / "tokens.json"
    tokens_path.touch(0o600)
    tokens_path.write_text(json.dumps(tokens))
    config = {
        "ImageBuilder": {
            "image_prefix": image_prefix,
            "port": _free_port(),
            "state_dir": str(folder / "state"),
            "api_tokens_file": str(tokens_path),
            "linger": 5,
            "log_level": "DEBUG",
            **options,
        },
        "KubernetesExecutor": {
            "namespace": engine.namespace,
            "engine_socket_dir": engine.socket_dir,
            "push_secret": engine.push_secret,
            "build_image": f"{env.open_registry}/repo2docker:1",
            "instance": image_prefix.strip("/").rpartition("/")[2],
        },
        "DistributionRegistry": {"ca_file": env.ca},
        "HostProvider": {"allowed_networks": [env.node_address]},
    }
    made = Service(folder, config, kubeconfig, tokens)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def new_prefix(env: ClusterEnv) -> str:
    """An image prefix that nobody has used."""
    return f"{env.registry}/t-{secrets.token_hex(4)}/"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
