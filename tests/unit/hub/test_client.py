from __future__ import annotations

from contextlib import aclosing

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    AuthenticationRequired,
    BuildFailed,
    BuildNotFound,
    ImageBuilderError,
    ImageUnknown,
    RefNotFound,
    RegistryUnavailable,
    ServiceUnavailable,
)
from jupyterhub_imagebuilder.hub.client import ImageBuilderClient, ServiceAddress
from tests.fakes.service import COMMIT, DIGEST, FakeImageBuilder

ALICE = Owner("alice", groups=frozenset({"b", "a"}), admin=True)
PREFIX = "/services/imagebuilder/"


@pytest.fixture
async def service():
    return FakeImageBuilder("secret", PREFIX)


@pytest.fixture
async def server(service):
    async with TestServer(service.app) as server:
        yield server


@pytest.fixture
def client(server):
    return ImageBuilderClient(ServiceAddress(str(server.make_url(PREFIX)), "secret"))


async def test_a_build_is_started_for_its_owner(client, service):
    answer = await client.start_build("git://h/cached", ALICE, "abc")
    assert (answer.phase, answer.commit, answer.digest) == (Phase.BUILT, "abc", DIGEST)
    assert service.bodies == [
        {
            "repository": "git://h/cached",
            "commit": "abc",
            "owner": {"name": "alice", "groups": ["a", "b"], "admin": True},
        }
    ]


async def test_without_a_commit_none_is_named(client, service):
    answer = await client.start_build("git://h/r", ALICE)
    assert (answer.phase, answer.commit) == (Phase.WAITING, COMMIT)
    assert "commit" not in service.bodies[0]


async def test_events_are_streamed(client):
    answer = await client.start_build("git://h/r", ALICE)
    async with aclosing(client.events(answer.id)) as events:
        found = [event async for event in events]
    assert isinstance(found[0], LogLine)
    assert found[0].text == "Step 1/2"
    assert isinstance(found[-1], PhaseChanged)
    assert found[-1].digest == DIGEST


async def test_refusals_come_with_their_sentence(client):
    with pytest.raises(RefNotFound, match="no repository at git://h/missing"):
        await client.start_build("git://h/missing", ALICE)
    with pytest.raises(BuildNotFound):
        async for _ in client.events("unknown"):
            pass
    with pytest.raises(ImageUnknown):
        await client.vouch("registry.test/team/x@sha256:b", ALICE)


async def test_an_image_is_vouched_for(client):
    image = f"registry.test/team/x@{DIGEST}"
    assert await client.vouch(image, ALICE) == image


async def test_a_wrong_token_is_named(server):
    client = ImageBuilderClient(ServiceAddress(str(server.make_url(PREFIX)), "wrong"))
    with pytest.raises(AuthenticationRequired):
        await client.start_build("git://h/r", ALICE)


async def test_a_service_that_is_away_is_named(server, client):
    with pytest.raises(ServiceUnavailable, match="502"):
        await client.start_build("git://h/crash", ALICE)
    await server.close()
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        await client.start_build("git://h/r", ALICE)


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (503, {"reason": "registry-unavailable", "message": "m"}, RegistryUnavailable, None),
        (429, {"reason": "quota", "message": "m"}, BuildFailed, "quota"),
        (418, {"reason": "from-the-future", "message": "m"}, ImageBuilderError, "internal"),
        (503, {"error": "a proxy's"}, ServiceUnavailable, None),
        (200, ["no", "build"], ServiceUnavailable, None),
        (200, {"id": "x", "phase": "dreaming", "commit": "c"}, ServiceUnavailable, None),
        (302, {}, ServiceUnavailable, None),
    ],
)
async def test_any_answer_becomes_an_error_of_ours(status, body, kind, reason):
    async def answer(request):
        return web.json_response(body, status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.add_routes([web.post("/api/builds", answer)])
    async with TestServer(app) as server:
        client = ImageBuilderClient(ServiceAddress(str(server.make_url("/")), "secret"))
        with pytest.raises(ImageBuilderError) as caught:
            await client.start_build("git://h/r", ALICE)
    assert type(caught.value) is kind
    assert caught.value.reason == (reason or kind.reason)


def test_the_token_is_not_printed():
    assert "secret" not in repr(ServiceAddress("http://x/", "secret"))


@pytest.mark.parametrize("after", [None, "7c1e:41"])
async def test_a_stream_is_resumed_behind_the_line_that_is_named(after):
    asked = []

    async def events(request):
        asked.append(request.headers.get("Last-Event-ID"))
        return web.Response(text='data: {"type": "gap", "message": "m"}\n\n')

    app = web.Application()
    app.add_routes([web.get("/api/builds/b1/events", events)])
    async with TestServer(app) as server:
        client = ImageBuilderClient(ServiceAddress(str(server.make_url("/")), "secret"))
        assert [event.message async for event in client.events("b1", after)] == ["m"]
    assert asked == [after]
