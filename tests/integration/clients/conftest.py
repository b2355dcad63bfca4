"""BinderHub's own client under Node, against the service as a process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.service.conftest import (  # noqa: F401 -- fixtures
    environment,
    registry,
    settings,
    start,
)

HERE = Path(__file__).parent
#: BinderHub's client as it is published, at the version that is in use.
CLIENT = "@jupyterhub/binderhub-client@0.5.0"
#: Seconds after which a client is taken to hang.
HANG = 30.0


class NodeClient:
    """The client as a process."""

    def __init__(self, process):
        self._process = process
        self.events = []

    async def hears(self, message):
        """Wait until it has heard that message."""
        while not any(event.get("message", "").strip() == message for event in self.events):
            assert await self._next(), (self.events, await self.errors())

    async def end(self):
        """Its exit code, when it has ended."""
        while await self._next():
            pass
        async with asyncio.timeout(HANG):
            return await self._process.wait()

    def close(self):
        if self._process.returncode is None:
            self._process.kill()

    async def _next(self):
        async with asyncio.timeout(HANG):
            line = await self._process.stdout.readline()
        if line:
            self.events.append(json.loads(line))
        return bool(line)

    async def errors(self):
        """What it wrote beside the events."""
        return (await self._process.stderr.read()).decode()

    @property
    def messages(self):
        return [event["message"].strip() for event in self.events]

    @property
    def phases(self):
        """Phases in the order in which they were entered."""
        phases = [event["phase"] for event in self.events if "phase" in event]
        return [p for i, p in enumerate(phases) if i == 0 or phases[i - 1] != p]


@pytest.fixture(scope="session")
def client_js(tmp_path_factory):
    """The published client, installed from the npm registry; its path."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        # like every skip it fails a run that requires something: see tests/conftest.py
        pytest.skip("needs Node and npm")
    folder = tmp_path_factory.mktemp("binderhub-client")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", CLIENT]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=90
    )
    if done.returncode:
        # a machine without a network; this, too, fails a run that requires something
        pytest.skip(f"{CLIENT} cannot be installed: {done.stderr.strip()[-200:]}")
    return folder / "node_modules/@jupyterhub/binderhub-client/lib/client.js"


@pytest.fixture
async def node(client_js):
    """Run the client on a spec; to be called with the address of ``/build``."""
    clients = []

    async def run(spec, endpoint, token="ci-token"):
        process = await asyncio.create_subprocess_exec(
            "node",
            str(HERE / "run.mjs"),
            str(client_js),
            spec,
            endpoint,
            env={"PATH": os.environ["PATH"], "TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        clients.append(NodeClient(process))
        return clients[-1]

    yield run
    for client in clients:
        client.close()
        await client.end()


@pytest.fixture
def lasting(settings, environment, tmp_path):  # noqa: F811 -- fixtures
    """Builds that outlive the service, and providers as a hub has them; their folder."""
    folder = tmp_path / "builds"
    folder.mkdir()
    environment["PYTHONPATH"] += os.pathsep + str(HERE)
    settings["ImageBuilder"]["executor_class"] = "client_stubs.LastingExecutor"
    settings["ImageBuilder"]["provider_classes"] = [
        "jupyterhub_imagebuilder.providers.github.GitHubProvider",
        "stubs.StubProvider",
    ]
    settings["ImageBuilder"]["state_dir"] = str(tmp_path / "state")
    settings["LastingExecutor"] = {"folder": str(folder)}
    return folder


@pytest.fixture
def go(tmp_path):
    """Let builds come to their end."""
    return (tmp_path / "go").touch


@pytest.fixture
def begun(lasting):
    """The builds that were begun, by repository and ref."""

    def begun():
        path = lasting / "begun"
        return path.read_text().splitlines() if path.exists() else []

    return begun


@pytest.fixture
async def service(start, lasting):  # noqa: F811 -- a fixture
    """The service, ready to build."""
    service = start()
    await service.until_ready()
    return service
