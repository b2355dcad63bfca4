"""The published JavaScript client of BinderHub, unchanged, builds with us."""

from __future__ import annotations

import asyncio
import signal

import aiohttp
import pytest
from yarl import URL

from tests.integration.service.conftest import DIGEST, HANG

REPOSITORY = "https://git.example.org/org/repo"
QUOTED = "https%3A%2F%2Fgit.example.org%2Forg%2Frepo"
SPEC = f"git/{QUOTED}/main"
COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
LINES = ["Step 1/4", "Step 2/4", "Step 3/4", "Step 4/4"]
HUB = {
    "JUPYTERHUB_SERVICE_NAME": "binder",
    "JUPYTERHUB_SERVICE_PREFIX": "/services/binder/",
    "JUPYTERHUB_API_TOKEN": "own-token",
}


async def test_a_build_and_the_same_again(service, node, go, begun):
    client = await node(SPEC, service.url + "build/")
    await client.hears("Step 2/4")
    go()
    assert await client.end() == 0
    assert client.phases == ["waiting", "building", "ready"]
    assert [line for line in client.messages if line in LINES] == LINES
    image = client.events[-1]["imageName"]
    assert image.endswith(f"@{DIGEST}")
    cached = await node(SPEC, service.url + "build")  # it appends the slash itself
    assert await cached.end() == 0
    assert [(event["phase"], event["imageName"]) for event in cached.events] == [("ready", image)]
    assert begun() == [f"{REPOSITORY} main"]
    assert "ci-token" not in service.log


async def test_two_clients_are_one_build(service, node, go, begun):
    clients = [await node(SPEC, service.url + "build/") for _ in range(2)]
    for client in clients:
        await client.hears("Step 2/4")
    go()
    assert [await client.end() for client in clients] == [0, 0]
    assert clients[0].events == clients[1].events
    assert begun() == [f"{REPOSITORY} main"]


async def test_a_build_that_fails(service, node, go):
    go()
    client = await node(f"git/{QUOTED}/broken", service.url + "build/")
    assert await client.end() == 1
    assert [line for line in client.messages if line in LINES] == LINES
    assert client.events[-1] == {
        "phase": "failed",
        "message": "The step RUN pip install failed.\n",
        "reason": "build-failed",
    }
    assert [event.get("phase") for event in client.events].count("failed") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        ("zz/org/repo/main", "ci-token", 400, "provider"),
        ("gh/org/repo", "ci-token", 400, "A ref is missing"),
        ("gh/org", "ci-token", 400, ""),
        (f"git/{QUOTED}/absent", "ci-token", 404, "There is no absent"),
        (SPEC, "", 401, "A token is required"),
        (SPEC, "wrong", 401, "The token is not valid"),
    ],
)
async def test_a_refusal_is_one_event(service, node, begun, refusal):
    spec, token, status, words = refusal
    client = await node(spec, service.url + "build/", token)
    assert await client.end() == 1
    [event] = client.events
    assert (event["phase"], event["status_code"]) == ("failed", status)
    assert words in event["message"]
    assert begun() == []


@pytest.mark.parametrize("ref", ["feature/x", "feature%2Fx"])
async def test_a_ref_with_slashes(service, node, go, begun, ref):
    go()
    client = await node(f"git/{QUOTED}/{ref}", service.url + "build/")
    assert await client.end() == 0
    assert [line.partition(" ")[2] for line in begun()] == [ref]


async def test_a_service_that_is_called_binder(start, lasting, node, go, settings):
    go()
    url = f"http://127.0.0.1:{settings['ImageBuilder']['port']}"
    service = start(env=HUB | {"JUPYTERHUB_SERVICE_URL": url})
    await service.until_ready()
    assert service.url.endswith("/services/binder/")
    # a whole commit is looked up nowhere
    client = await node(f"gh/org/repo/{COMMIT}", service.url + "build/", "own-token")
    assert await client.end() == 0
    assert client.phases == ["waiting", "building", "ready"]


async def test_the_client_comes_back_after_the_service_was_killed(start, lasting, node, go, begun):
    first = start()
    await first.until_ready()
    client = await node(SPEC, first.url + "build/")
    await client.hears("Step 2/4")
    await first.end(signal.SIGKILL)
    # it does not try again by itself; its user does
    assert await client.end() == 1
    assert client.events[-1]["message"].startswith("Error in event stream")
    second = start()
    await second.until_ready()
    client = await node(SPEC, second.url + "build/")
    await client.hears("Step 2/4")
    go()
    assert await client.end() == 0
    assert [line for line in client.messages if line in LINES] == LINES
    assert begun() == [f"{REPOSITORY} main"]


async def test_a_service_that_stops_says_so_to_the_client(service, node, begun):
    client = await node(SPEC, service.url + "build/")
    await client.hears("Step 2/4")
    code, seconds = await service.end()
    assert (code, seconds < HANG) == (0, True)
    assert await client.end() == 1
    assert client.events[-1]["reason"] == "service-unavailable"
    assert "Ask again in a minute" in client.events[-1]["message"]
    assert begun() == [f"{REPOSITORY} main"]


async def lines_of(response):
    """The rest of a stream: ids and data, in the order of the wire."""
    return [line for line in (await response.text()).splitlines() if line and line[0] != ":"]


async def test_an_event_source_reads_on_where_it_was(start, lasting, go, begun):
    first = start()
    await first.until_ready()
    headers = {"Authorization": "Bearer ci-token", "Accept": "text/event-stream, */*"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(
            URL(f"{first.url}build/{SPEC}?build_only=true", encoded=True)
        ) as response:
            seen = b""
            while b"Step 2/4" not in (line := await response.content.readline()):
                seen = line if line.startswith(b"id: ") else seen
            await first.end(signal.SIGKILL)
        second = start()
        await second.until_ready()
        go()
        headers = {"Last-Event-ID": seen.decode().removeprefix("id: ").strip()}
        async with session.get(
            URL(f"{second.url}build/{SPEC}?build_only=true", encoded=True), headers=headers
        ) as response:
            rest = await lines_of(response)
        assert [n for n in LINES if any(n in line for line in rest)] == ["Step 3/4", "Step 4/4"]
        assert '"ready"' in rest[-1]
    assert begun() == [f"{REPOSITORY} main"]


async def test_an_event_source_that_comes_back_after_a_failure_starts_nothing(service, go, begun):
    go()
    headers = {"Authorization": "token ci-token"}
    url = URL(f"{service.url}build/git/{QUOTED}/broken", encoded=True)
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(url) as response:
            told = await lines_of(response)
        ids = [line.removeprefix("id: ") for line in told if line.startswith("id: ")]
        await asyncio.sleep(0.2)  # what the build left is removed
        async with session.get(url, headers={"Last-Event-ID": ids[-1]}) as response:
            again = await lines_of(response)
    assert len(ids) == len(LINES)
    assert again == told[-1:]
    assert begun() == [f"{REPOSITORY} broken"]
