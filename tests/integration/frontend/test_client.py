"""The front end's client, under Node.js: against a real hub, and against our own handlers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from jupyterhub_imagebuilder.builds.events import Gap, LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from tests.integration.hub.hubs import Browser, HubProcess
from tests.unit.web import support

FRONTEND = Path(__file__).parents[3] / "frontend"
VITE_NODE = FRONTEND / "node_modules" / ".bin" / "vite-node"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def client():
    """Starts the client; what it says comes line by line."""
    if shutil.which("node") is None or not VITE_NODE.exists():
        # like every skip it fails a run that requires something: see tests/conftest.py
        pytest.skip("no front end: run tools/frontend dev first")
    started = []

    async def start(**asked):
        process = await asyncio.create_subprocess_exec(
            VITE_NODE,
            "src/service/real.testing.ts",
            json.dumps(asked),
            cwd=FRONTEND,
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process):
    async with asyncio.timeout(40):
        line = await process.stdout.readline()
    return json.loads(line) if line else None


async def test_a_hub_gives_a_token_for_this_service_alone(client, tmp_path):
    hub = HubProcess(tmp_path, "setup_ui(c)\nstand_in(c)\n")
    try:
        await asyncio.to_thread(hub.wait)
        user = await asyncio.to_thread(Browser, hub, "alice")
        page = await asyncio.to_thread(user.session.get, f"{hub.url}/hub/home", timeout=30)
        asked = {
            "origin": hub.url,
            "hub": f"{urlsplit(hub.url).path}/hub/",
            "user": "alice",
            "xsrf": re.search(r'xsrf_token: "([^"]+)"', page.text)[1],
            "cookie": "; ".join(f"{each.name}={each.value}" for each in user.session.cookies),
        }
        process = await client(token=asked)
        headers = await said(process)
        assert await process.wait() == 0
        answer = await asyncio.to_thread(
            requests.get, f"{hub.url}/hub/api/user", headers=headers, timeout=30
        )
        assert answer.json()["name"] == "alice"
        scopes = {each for each in answer.json()["scopes"] if not each.startswith("read:users:")}
        assert scopes == {"access:services!service=imagebuilder"}
        # nothing secret is in an address, which the hub's log has
        assert asked["xsrf"] not in hub.text()
    finally:
        await asyncio.to_thread(hub.stop)


async def test_a_build_is_followed_across_a_break(client):
    async for web in support.running():
        build = support.new_build()
        web.builds.known[build.id] = build
        build.observe(LogLine("uid", 0, "Step 1/2", Phase.BUILDING), 1000.0)
        build.observe(LogLine("uid", 1, "größe 🔬"), 1000.0)
        process = await client(
            follow={"base": web.url, "token": support.ALICE, "id": build.id},
        )
        told = [await said(process) for _ in range(4)]
        assert [each.get("phase") for each in told[:2]] == ["waiting", "building"]
        assert [each["text"] for each in told[2:]] == ["Step 1/2", "größe 🔬"]
        for stream in tuple(web.backend.streams._open):
            stream.close()
        assert await said(process) == {"type": "away"}
        build.observe(Gap("7 lines are lost"), 1000.0)
        build.observe(LogLine("uid", 9, "Step 2/2"), 1000.0)
        build.complete(support.DIGEST, 1001.0)
        rest = []
        while (event := await said(process)) is not None:
            rest.append(event)
        assert [each.get("text") or each.get("message") or each["type"] for each in rest] == [
            "back",
            "7 lines are lost",
            "Step 2/2",
            "The image is built",
        ]
        assert await process.wait() == 0
        assert len(web.backend.streams) == 0
