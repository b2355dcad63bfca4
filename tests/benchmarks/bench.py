"""The stage of a measurement: a registry, services as processes, viewers in another one.

What is measured has a core of its own; viewers, registry and this process share the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.benchmarks import machine
from tests.benchmarks.machine import Cost
from tests.benchmarks.viewers import Seen

ROOT = Path(__file__).parents[2]
TOKEN = "bench-token"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
DIGEST = "sha256:" + "2" * 64
#: Seconds after which something is taken to hang.
HANG = 60.0


@dataclass(frozen=True)
class Row:
    """One figure of the table."""

    name: str  #: of the benchmark, ``P2``
    load: str  #: under which it was measured
    figure: str  #: for the table
    aim: str = ""
    data: dict[str, Any] = field(default_factory=dict)  #: the same and more, for programs


class Registry:
    """A registry that has what was put into it."""

    def __init__(self) -> None:
        self.manifests: set[str] = set()
        self.asked = 0
        self.address = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v2/", self._base)
        app.router.add_route("*", "/v2/{name:.*}/manifests/{tag}", self._manifest)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _base(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _manifest(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self.manifests.add(request.path)
            return web.Response(status=201)
        self.asked += 1
        if request.path not in self.manifests:
            return web.Response(status=404)
        return web.Response(headers={"Docker-Content-Digest": DIGEST})


class Service:
    """A service process."""

    def __init__(self, command: Sequence[Any], port: int, log: Path, env: dict[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self._command = command
        self._log = log
        self._env = env
        self.begun = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def begin(self) -> None:
        """Start the process; returns at once."""
        with self._log.open("ab") as output:
            self.begun = time.monotonic()
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, env=self._env
            )

    async def answers(self, path: str = "versions") -> float:
        """Seconds from the process's start to its first answer."""
        async with aiohttp.ClientSession() as session:
            while time.monotonic() - self.begun < HANG:
                try:
                    async with session.get(self.url + path, headers=HEADERS) as response:
                        if response.status == 200:
                            return time.monotonic() - self.begun
                except aiohttp.ClientConnectionError:
                    pass
                assert self._process.poll() is None, self.words()
                await asyncio.sleep(0.005)
        raise AssertionError(f"no answer within {HANG} s:\n{self.words()}")

    def cost(self) -> Cost:
        return Cost.of(self.pid)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(HANG)

    def words(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-3000:]


class Watching:
    """The process with the viewers."""

    def __init__(self, process: asyncio.subprocess.Process, orders: Path) -> None:
        self._process = process
        self._orders = orders

    async def connected(self) -> None:
        """Return when all viewers get events."""
        said = await asyncio.wait_for(self._process.stdout.readline(), HANG)
        assert said == b"connected\n", said

    async def seen(self) -> list[Seen]:
        """What they saw, when all streams have ended."""
        await self._process.wait()
        return [
            Seen(**seen) for seen in pickle.loads(self._orders.with_suffix(".seen").read_bytes())
        ]


class Stage:
    """Starts everything that a measurement needs; all of it ends with :func:`stage`."""

    def __init__(self, folder: Path, registry: Registry, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.registry = registry
        self._stack = stack
        self._crowds = 0
        self._services = 0
        self.core, self.other_core = machine.cores()

    async def service(
        self, sections: dict[str, dict[str, Any]] | None = None, **executor: Any
    ) -> Service:
        """A service that is ready to build, with the scripted executor and these options of it.

        :param sections: more of the configuration, or other adapters.
        """
        service = self.prepared(sections, **executor)
        service.begin()
        await service.answers()
        # answered only when the domain has started
        await service.answers("api/builds")
        return service

    def prepared(
        self, sections: dict[str, dict[str, Any]] | None = None, **executor: Any
    ) -> Service:
        """The same, not started yet."""
        self._services += 1
        own = self.folder / f"service-{self._services}"
        own.mkdir()
        (self.folder / "builds").mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        tokens = own / "tokens.json"
        tokens.touch(0o600)
        tokens.write_text(json.dumps({"bench": TOKEN}))
        settings: dict[str, dict[str, Any]] = {
            "ImageBuilder": {
                "image_prefix": f"{self.registry.address}/bench/",
                "port": port,
                "state_dir": str(own),
                "executor_class": "tests.benchmarks.stubs.ScriptedExecutor",
                "provider_classes": ["tests.benchmarks.stubs.ScriptedProvider"],
                "api_tokens_file": str(tokens),
                "max_builds": 0,
                "max_builds_per_user": 0,
                "max_waiting": 0,
                "linger": 1.0,
            },
            "DistributionRegistry": {"insecure": True},
        }
        if executor:
            folder = str(self.folder / "builds")
            settings["ScriptedExecutor"] = {"folder": folder, **executor}
        for name, values in (sections or {}).items():
            settings[name] = settings.get(name, {}) | values
        (own / "config.json").write_text(json.dumps(settings))
        kept = ("PATH", "HOME", "LANG", "KUBECONFIG", "BENCH_PROFILE")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env["PYTHONPATH"] = str(ROOT)
        pinned = ["taskset", "-c", str(self.core)]
        program = [sys.executable, "-m", "jupyterhub_imagebuilder", "-f", str(own / "config.json")]
        service = Service([*pinned, *program], port, own / "log", env)
        self._stack.callback(service.end)
        return service

    async def watch(
        self, service: Service, paths: Sequence[str], *, persistent: bool = False
    ) -> Watching:
        """Viewers of these paths, one each; returns when all of them get events.

        :param persistent: whether they come back when their stream breaks, as pages do.
        """
        self._crowds += 1
        orders = self.folder / f"crowd-{self._crowds}.json"
        orders.write_text(
            json.dumps(
                {
                    "host": "127.0.0.1",
                    "port": service.port,
                    "paths": list(paths),
                    "token": TOKEN,
                    "core": self.other_core,
                    "persistent": persistent,
                    "seconds": HANG + 30,
                }
            )
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.viewers",
            orders,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        self._stack.callback(_ended, process)
        watching = Watching(process, orders)
        await watching.connected()
        return watching


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """A stage whose processes and files last for one measurement."""
    registry = Registry()
    async with AsyncExitStack() as stack:
        runner = await registry.start()
        stack.push_async_callback(runner.cleanup)
        yield Stage(folder, registry, stack)


async def request(session: aiohttp.ClientSession, service: Service, name: str) -> dict[str, Any]:
    """Ask for the image of a repository of that name; the build."""
    document = json.dumps({"repository": f"https://git.example.org/bench/{name}@main"})
    async with session.post(service.url + "api/builds", data=document, headers=HEADERS) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status in (200, 202), f"{answer}\n{service.words()}"
        return answer


async def requests(service: Service, names: Sequence[str], at_once: int = 50) -> list[str]:
    """Ask for many; the ids of the builds."""
    limit = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=limit) as session:
        built = await asyncio.gather(*(request(session, service, name) for name in names))
    return [build["id"] for build in built]


def events(build_id: str) -> str:
    """The path of a build's stream."""
    return f"/api/builds/{build_id}/events"


def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
