from __future__ import annotations

import json

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.hub.sse import read_events

BODY = (
    ":keepalive\n\n"
    'id: 7c1e:0\ndata: {"type": "log", "text": "Schritt 1 = größer", "phase": "building"}\n\n'
    'data: {"type": "gap", "message": "lost"}\r\n\r\n'
    "data: no json\n\n"
    'data: {"type": "phase", "phase": "dreaming"}\n\n'
    'data: {"type": "newer", "x": 1}\n\n'
    "data: [1]\n\n"
    'data: {"type": "phase", "phase": "failed",\ndata: "message": "No.", "reason": "new-one"}\n\n'
    'data: {"type": "phase", "phase": "built", "message": "", "image": "i:1", "digest": "sha256:a"}'
    "\n\n"
    'data: {"type": "log", "text": "cut off"'
).encode()

EVENTS = [
    LogLine("7c1e", 0, "Schritt 1 = größer", Phase.BUILDING),
    Gap("lost"),
    PhaseChanged(Phase.FAILED, "No.", Reason.INTERNAL),
    PhaseChanged(Phase.BUILT, "", None, "i:1", "sha256:a"),
]


async def chunks(size):
    for start in range(0, len(BODY), size):
        yield BODY[start : start + size]


@pytest.mark.parametrize("size", [1, 7, len(BODY)])
async def test_events_are_read_however_the_network_cuts_them(size):
    assert [event async for event in read_events(chunks(size))] == EVENTS


@pytest.mark.parametrize("chunk", [64 * 1024, 7_000_000])
async def test_a_line_that_is_too_long_is_said_to_be_and_its_id_counts(chunk):
    text = json.dumps({"type": "log", "text": "x" * 3_000_000, "phase": None})
    short = json.dumps({"type": "log", "text": "short", "phase": None})
    body = f"id: uid:6\ndata: {text}\n\nid: uid:7\ndata: {short}\n\n".encode()

    async def chunks():
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]

    long, after = [event async for event in read_events(chunks())]
    assert (long.id, "too long" in long.text, len(long.text) < 100) == ("uid:6", True, True)
    assert after == LogLine("uid", 7, "short")
