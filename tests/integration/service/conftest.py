"""The service as a process of its own, with a stub for Kubernetes and a small registry."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tornado.testing import bind_unused_port

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
DIGEST = "sha256:" + "2" * 64
#: Seconds after which a test is taken to hang; what it measures is printed.
HANG = 5.0


async def until(condition, explain=lambda: ""):
    """Wait until an async condition holds; fail with an explanation when it never does."""
    deadline = time.monotonic() + HANG
    while True:
        if await condition():
            return
        assert time.monotonic() < deadline, explain()
        await asyncio.sleep(0.02)


class Service:
    """A process under test."""

    def __init__(self, process, url, started, log):
        self.process = process
        self.url = url
        self.started = started
        self.log_file = log

    @property
    def log(self):
        return self.log_file.read_text()

    async def first_answer(self):
        """Seconds from the process's start to its first answer."""
        async with aiohttp.ClientSession() as session:
            while time.monotonic() - self.started < HANG:
                try:
                    async with session.get(self.url + "versions"):
                        return time.monotonic() - self.started
                except aiohttp.ClientConnectionError:
                    assert self.process.poll() is None, self.log
                    await asyncio.sleep(0.01)
        raise AssertionError(f"no answer within {HANG} s:\n{self.log}")

    async def until_ready(self):
        await self.first_answer()
        await self.until_logged("ready to build")

    async def until_logged(self, text):
        """Wait for a text in the log."""

        async def logged():
            return text in self.log

        await until(logged, lambda: self.log)

    async def exit_code(self):
        return await asyncio.to_thread(self.process.wait, HANG)

    async def end(self, number=signal.SIGTERM):
        """Exit code, and the seconds that the end took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        return await self.exit_code(), time.monotonic() - begin


@pytest.fixture
async def registry():
    """A registry that keeps which manifests were put; its address."""
    manifests = set()

    async def manifest(request):
        if request.method == "PUT":
            manifests.add(request.path)
            return web.Response(status=201)
        if request.path not in manifests:
            return web.Response(status=404)
        return web.Response(headers={"Docker-Content-Digest": DIGEST})

    async def base(request):
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/v2/", base)
    app.router.add_route("*", "/v2/{name:.*}/manifests/{tag}", manifest)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
def settings(registry, tmp_path):
    """Sections of a configuration that works."""
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"ci": "ci-token", "other": "other-token"}')
    tokens.chmod(0o600)
    socket, port = bind_unused_port()
    socket.close()
    return {
        "ImageBuilder": {
            "image_prefix": f"{registry}/team/",
            "port": port,
            "executor_class": "stubs.StubExecutor",
            "provider_classes": ["stubs.StubProvider"],
            "api_tokens_file": str(tokens),
            "linger": 0.1,
        },
        "DistributionRegistry": {"insecure": True},
        "StubExecutor": {"go_file": str(tmp_path / "go")},
    }


@pytest.fixture
def environment():
    """What a service needs of the environment, and nothing of a hub."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE)))}


@pytest.fixture
def start(settings, environment, tmp_path):
    """Start the service; keyword arguments go to Popen, ``wrap`` in front of the command."""
    processes = []

    def start(config=None, *, wrap=(), env=None, name="config.json"):
        path = tmp_path / name
        path.write_text(config if config is not None else json.dumps(settings))
        log = tmp_path / "service.log"
        with log.open("wb") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                [*wrap, sys.executable, "-m", "jupyterhub_imagebuilder", "-f", str(path)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | (env or {}),
                cwd=tmp_path,
                start_new_session=True,
            )
        processes.append(process)
        port = settings["ImageBuilder"]["port"]
        prefix = (env or {}).get("JUPYTERHUB_SERVICE_PREFIX", "/")
        return Service(process, f"http://127.0.0.1:{port}{prefix}", started, log)

    yield start
    for process in processes:
        # the group: a wrapper leaves the service behind
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
