"""The streams in tests/golden/events-*.txt, which the front end's tests read, are ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from tests.unit.web.support import DIGEST, new_build

GOLDEN = Path(__file__).parents[2] / "golden"
BRED, PLAIN = "\x1b[1;31m", "\x1b[0m"


def built(build):
    build.observe(PhaseChanged(Phase.WAITING, "Waiting in the queue, at position 1."), 1000.0)
    build.observe(LogLine("uid", 0, "Cloning into '/tmp/repo2docker'...", Phase.FETCHING), 1001.0)
    build.observe(LogLine("uid", 1, "HEAD is now at 4b825dc Größe: 3 µm 🔬"), 1002.0)
    build.observe(LogLine("uid", 2, "Step 1/2 : FROM ubuntu", Phase.BUILDING), 1003.0)
    build.observe(LogLine("uid", 3, f"{BRED}red{PLAIN} and 10%\r20%\r100%"), 1004.0)
    build.observe(Gap("7 lines are lost"), 1005.0)
    build.observe(LogLine("uid", 11, ""), 1006.0)
    build.observe(LogLine("uid", 12, "pushing layers", Phase.PUSHING), 1007.0)
    build.complete(DIGEST, 1008.0)


def failed(build):
    build.observe(LogLine("uid", 0, "Step 1/2 : RUN pip install nope", Phase.BUILDING), 1000.0)
    build.observe(LogLine("uid", 1, "ERROR: No matching distribution found for nope"), 1000.0)
    build.observe(
        LogLine("uid", 2, "The command '/bin/sh -c pip install nope' returned a non-zero code: 1"),
        1000.0,
    )
    build.fail(BuildFailed("The step RUN pip install nope failed.", Reason.BUILD_FAILED), 1001.0)


def cancelled(build):
    build.observe(PhaseChanged(Phase.BUILDING, "Building the image"), 1000.0)
    build.observe(LogLine("uid", 0, "Step 1/2"), 1000.0)
    build.fail(BuildFailed("alice stopped this build.", Reason.CANCELLED), 1001.0)


@pytest.mark.parametrize(
    ("name", "tell", "after"),
    [
        ("built", built, None),
        ("failed", failed, None),
        ("cancelled", cancelled, None),
        ("resumed", built, "uid:2"),
    ],
)
async def test_a_transcript(web, name, tell, after):
    build = new_build()
    web.builds.known[build.id] = build
    tell(build)
    headers = {"Last-Event-ID": after} if after else {}
    text = await web.text("api/builds/b1/events", headers=headers)
    assert text == (GOLDEN / f"events-{name}.txt").read_text(encoding="utf-8")
