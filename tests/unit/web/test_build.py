from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from yarl import URL

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    Reason,
    RefNotFound,
    ServiceUnavailable,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.build import split_path
from tests.unit.web.support import ALICE, DIGEST, until

GOLDEN = Path(__file__).parents[2] / "golden"
PATH = "build/gh/org/repo/main?build_only=true"
OWNER = Owner("alice", groups=frozenset({"staff"}))


def golden(name):
    return (GOLDEN / f"build-{name}.txt").read_text(encoding="utf-8")


async def test_an_image_that_is_there(web):
    web.builds.next_build.observe(
        LogLine("uid", 0, "of the build that made it", Phase.BUILDING), 1000.0
    )
    web.builds.next_build.complete(DIGEST, 1000.0, cached=True)
    assert await web.text(PATH) == golden("cached")


async def test_an_image_that_is_built(web):
    build = web.builds.next_build
    stream = asyncio.create_task(web.text(PATH))
    await until(lambda: web.builds.asked)
    build.observe(LogLine("uid", 0, "Cloning into '/tmp/repo2docker'...", Phase.FETCHING), 1000.0)
    build.observe(LogLine("uid", 1, "Python version unspecified"), 1000.0)
    build.observe(LogLine("uid", 2, "#7 [3/9] RUN …", Phase.BUILDING), 1000.0)
    build.observe(Gap("7 lines are lost"), 1000.0)
    build.observe(LogLine("uid", 3, "#12 pushing layers", Phase.PUSHING), 1000.0)
    build.complete(DIGEST, 1001.0)
    assert await stream == golden("built")


async def test_a_build_that_fails(web):
    build = web.builds.next_build
    build.observe(PhaseChanged(Phase.WAITING, "No node has room for the build."), 1000.0)
    build.observe(LogLine("uid", 0, "ERROR: no matching distribution", Phase.BUILDING), 1000.0)
    build.fail(BuildFailed("The step RUN pip install failed.", Reason.OUT_OF_MEMORY), 1001.0)
    assert await web.text(PATH) == golden("failed")


async def test_an_unknown_provider(web):
    web.builds.error = SpecInvalid("There is no provider zz; there are gh and git.")
    assert await web.text("build/zz/org/repo/main?build_only=true") == golden("unknown-provider")


async def test_a_ref_that_is_not_there(web):
    web.builds.error = RefNotFound("https://github.com/org/repo has no ref absent.")
    assert await web.text("build/gh/org/repo/absent?build_only=true") == golden("bad-ref")


async def test_nobody(web):
    assert await web.text(PATH, token=None) == golden("unauthenticated")
    assert web.builds.asked == []


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "text/event-stream", "text/event-stream, */*", "text/event-stream;q=0.9"],
)
async def test_every_accept_gets_an_event_stream(web, accept):
    web.builds.next_build.complete(DIGEST, 1000.0)
    headers = {"Accept": accept} if accept else {}
    async with web.request("GET", PATH, headers=headers, skip_auto_headers=["Accept"]) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert '"phase": "ready"' in await response.text()


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("gh/org/repo/main", ("gh", "org/repo/main")),
        ("gh/org/repo/feature/x", ("gh", "org/repo/feature/x")),
        ("gh/org/repo/feature%2Fx", ("gh", "org/repo/feature%2Fx")),
        ("gh/org/repo/main/", ("gh", "org/repo/main")),
        (
            "git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo/main",
            ("git", "https%3A%2F%2Fgit.example.org%2Forg%2Frepo/main"),
        ),
        ("git/git%3a%2f%2fbuild%2fbuild/build/gh", ("git", "git%3a%2f%2fbuild%2fbuild/build/gh")),
        ("gh/org/repo/v1.0%2B1", ("gh", "org/repo/v1.0%2B1")),
    ],
)
@pytest.mark.parametrize("query", ["?build_only=true", "?build_only=false", "", "?build_token=x"])
async def test_the_spec_arrives_as_it_was_sent(web, path, question, query):
    web.builds.next_build.complete(DIGEST, 1000.0)
    url = URL(f"{web.url}build/{path}{query}", encoded=True)
    headers = {"Authorization": f"Bearer {ALICE}"}
    async with web.session.get(url, headers=headers) as response:
        assert '"phase": "ready"' in await response.text()
    assert web.builds.asked == [(*question, OWNER)]


@pytest.mark.parametrize("path", ["build", "build/", "build/gh", "build/gh/", "build//x"])
async def test_an_address_without_a_spec(web, path):
    frame = json.loads((await web.text(path)).removeprefix("data: "))
    assert (frame["phase"], frame["reason"]) == ("failed", "spec-invalid")


async def test_a_token_in_the_query(web):
    web.builds.next_build.complete(DIGEST, 1000.0)
    text = await web.text(PATH + f"&token={ALICE}", token=None)
    assert '"phase": "ready"' in text
    assert '"phase": "failed"' in await web.text(PATH + "&token=%ff", token=None)
    # a header that is wrong is not made good by a query
    assert '"phase": "failed"' in await web.text(PATH + f"&token={ALICE}", token="wrong")


async def test_a_token_in_the_query_can_be_switched_off(web):
    web.backend.token_in_url = False
    text = await web.text(PATH + f"&token={ALICE}", token=None)
    assert "authentication-required" in text
    assert web.builds.asked == []


async def test_before_the_start(web):
    web.backend.builds = None
    assert "service-unavailable" in await web.text(PATH)


async def test_a_hub_that_is_down_is_not_a_wrong_token(web):
    web.hub.error = ServiceUnavailable("JupyterHub does not answer.")
    assert '"status_code": 503' in await web.text(PATH)


async def test_a_fault_ends_with_a_failed_event(web, caplog):
    web.builds.error = LookupError("secret")
    text = await web.text(PATH)
    assert '"reason": "internal"' in text
    assert "secret" not in text
    assert "LookupError" in caplog.text


async def test_no_frame_has_an_id(web):
    web.builds.next_build.observe(LogLine("uid", 0, "x"), 1000.0)
    web.builds.next_build.fail(BuildFailed("y"), 1000.0)
    text = await web.text(PATH)
    assert '"message": "x' in text
    assert all(line.startswith("data: ") for line in text.split("\n") if line)


def test_the_prefix_may_look_like_a_spec():
    assert split_path("/build/build/gh/build/x", "/build/build/") == ("gh", "build/x")
