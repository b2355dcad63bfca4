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
    QuotaExceeded,
    Reason,
    RefNotFound,
    ServiceUnavailable,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.build import split_path
from tests.unit.web.support import ALICE, DIGEST, new_build, until

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


async def test_an_image_that_is_there_is_answered_in_one_piece(web):
    web.builds.next_build.complete(DIGEST, 1000.0, cached=True)
    async with web.request("GET", PATH) as response:
        text = await response.read()
        assert response.headers["Content-Length"] == str(len(text))
    assert text.decode() == golden("cached")
    await until(lambda: not len(web.backend.streams))


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


async def test_a_build_that_waits_in_the_queue_for_too_long(web):
    build = web.builds.next_build
    for position in (2, 1):
        sentence = f"Waiting in the queue, at position {position}."
        build.observe(PhaseChanged(Phase.WAITING, sentence), 1000.0)
    sentence = "Other builds took so long that this one never had its turn; please try again."
    build.fail(BuildFailed(sentence, Reason.QUEUE_TIMEOUT), 1001.0)
    assert await web.text(PATH) == golden("queued")


async def test_a_build_that_somebody_stops(web):
    build = web.builds.next_build
    build.observe(PhaseChanged(Phase.BUILDING, "Building the image"), 1000.0)
    build.fail(BuildFailed("alice stopped this build.", Reason.CANCELLED), 1001.0)
    assert await web.text(PATH) == golden("cancelled")


async def test_a_queue_that_is_full(web):
    web.builds.error = QuotaExceeded(
        "1000 builds are waiting already; there is room for one more in about 2 minutes.",
        retry_after=94.2,
    )
    assert await web.text(PATH) == golden("quota")


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


async def test_only_lines_have_an_id(web):
    build = web.builds.next_build
    build.observe(LogLine("uid", 0, "x"), 1000.0)
    build.observe(Gap("lines are lost"), 1000.0)
    build.fail(BuildFailed("y"), 1000.0)
    lines = [line for line in (await web.text(PATH)).split("\n") if line]
    assert [line for line in lines if not line.startswith("data: ")] == [f"id: {build.id}:uid:0"]
    assert '"message": "x' in lines[lines.index(f"id: {build.id}:uid:0") + 1]


async def test_who_comes_back_reads_on_and_starts_nothing(web):
    build = web.builds.next_build
    build.observe(LogLine("uid", 0, "Step 1/3", Phase.BUILDING), 1000.0)
    build.observe(LogLine("uid", 1, "Step 2/3", Phase.BUILDING), 1000.0)
    build.fail(BuildFailed("The step RUN pip install failed."), 1001.0)
    web.builds.known[build.id] = build
    text = await web.text(PATH, headers={"Last-Event-ID": f"{build.id}:uid:0"})
    assert text == golden("resumed")
    assert web.builds.asked == []


@pytest.mark.parametrize("event_id", ["gone:uid:0", "uid:0", "b1:", ":", "x" * 500, "b1 :uid:0"])
async def test_an_id_of_nothing_is_a_new_request(web, event_id):
    web.builds.next_build.complete(DIGEST, 1000.0)
    assert '"ready"' in await web.text(PATH, headers={"Last-Event-ID": event_id})
    assert web.builds.asked == [("gh", "org/repo/main", OWNER)]


async def test_nobody_reads_on_in_the_build_of_another(web):
    build = new_build(Owner("bob"))
    build.fail(BuildFailed("secret"), 1000.0)
    web.builds.known[build.id] = build
    web.builds.next_build = new_build(build_id="b2")
    web.builds.next_build.complete(DIGEST, 1000.0)
    text = await web.text(PATH, headers={"Last-Event-ID": f"{build.id}:uid:0"})
    assert "secret" not in text
    assert '"ready"' in text


@pytest.mark.parametrize("how", ["streams", "build"])
async def test_a_service_that_stops_says_so(web, how):
    build = web.builds.next_build
    build.observe(LogLine("uid", 0, "Step 1/3", Phase.BUILDING), 1000.0)
    async with web.request("GET", PATH) as response:
        while b"Step 1/3" not in (line := await response.content.readline()):
            assert line
        read = golden("stopping").partition("Step 1/3")
        web.backend.streams.stop() if how == "streams" else build.release()
        rest = (await response.content.read()).decode()
    assert rest == read[2].partition("\n")[2]


async def test_a_request_that_meets_the_stop_is_answered(web):
    web.backend.streams.stop()
    web.backend.builds = None
    assert '"reason": "service-unavailable"' in await web.text(PATH)


async def test_cookies_start_nothing(web):
    cookies = {
        "jupyterhub-services": ALICE,
        "jupyterhub-session-id": ALICE,
        "service-imagebuilder": ALICE,
        "_xsrf": "x",
    }
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    for path in (PATH, f"{PATH}&_xsrf=x"):
        async with web.request(
            "GET", path, token=None, headers={"Cookie": header, "X-Xsrftoken": "x"}
        ) as response:
            assert await response.text() == golden("unauthenticated")
            assert "Set-Cookie" not in response.headers
    assert web.builds.asked == []


@pytest.mark.parametrize("word", ["Bearer", "bearer", "token", "Token"])
async def test_both_words_before_a_token(web, word):
    web.builds.next_build.complete(DIGEST, 1000.0, cached=True)
    text = await web.text(PATH, token=None, headers={"Authorization": f"{word} {ALICE}"})
    assert text == golden("cached")


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("gh/org%2Frepo/main", "org/repo/main"),
        ("gh/org%2frepo/feature/x", "org/repo/feature/x"),
        ("bb/org%2Frepo/main", "org/repo/main"),
        ("gl/group%2Frepo/main", "group%2Frepo/main"),
    ],
)
async def test_a_client_that_escapes_every_repository(web, path, spec):
    web.builds.next_build.complete(DIGEST, 1000.0, cached=True)
    url = URL(f"{web.url}build/{path}?build_only=true", encoded=True)
    headers = {"Authorization": f"Bearer {ALICE}", "Accept": "*/*"}
    async with web.session.get(url, headers=headers) as response:
        assert await response.text() == golden("cached")
    assert web.builds.asked == [(path[:2], spec, OWNER)]


async def test_bytes_that_are_no_text_are_refused_in_the_stream(web):
    web.builds.error = SpecInvalid("What stands for the ref cannot be the name of a branch.")
    url = URL(f"{web.url}build/gh/org/repo/%ff%C3?build_only=%ff", encoded=True)
    async with web.session.get(url, headers={"Authorization": f"Bearer {ALICE}"}) as response:
        assert response.status == 200
        assert '"reason": "spec-invalid"' in await response.text()


def test_the_prefix_may_look_like_a_spec():
    assert split_path("/build/build/gh/build/x", "/build/build/") == ("gh", "build/x")


async def test_a_build_that_ends_while_its_request_is_answered_is_no_find(web, monkeypatch):
    build = web.builds.next_build
    monkeypatch.setattr("jupyterhub_imagebuilder.web.build.time.time", lambda: 1000.0)
    build.observe(LogLine("uid", 0, "Step 1/1", Phase.BUILDING), 1000.5)
    build.complete(DIGEST, 1001.0)
    assert "Step 1/1" in await web.text(PATH)
    monkeypatch.setattr("jupyterhub_imagebuilder.web.build.time.time", lambda: 1002.0)
    assert "Step 1/1" not in await web.text(PATH)
