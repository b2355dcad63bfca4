"""BinderHub's client understands each transcript that our own tests hold the service to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web

GOLDEN = Path(__file__).parents[2] / "golden"
TRANSCRIPTS = sorted(path.stem for path in GOLDEN.glob("build-*.txt"))


@pytest.fixture
async def played():
    """A server that plays the transcript that the path names; the address of its ``/build``."""

    async def play(request):
        name = request.match_info["name"]
        frames = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").split("\n\n")
        body = "\n\n:keepalive\n\n".join(frames)
        return web.Response(text=body, headers={"Content-Type": "text/event-stream"})

    app = web.Application()
    app.router.add_get("/build/{name}", play)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/build/"
    await runner.cleanup()


@pytest.mark.parametrize("name", TRANSCRIPTS)
async def test_a_transcript(played, node, name):
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    client = await node(name, played)
    code = await client.end()
    assert client.events == told
    assert code == (0 if told[-1]["phase"] == "ready" else 1)
    assert [e.get("phase") in ("ready", "failed") for e in told].count(True) == 1
    assert all(event["message"].endswith("\n") for event in told)
