"""The REST API of a real process, with a real database and a small registry."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.integration.service.conftest import until

REPOSITORY = "https://git.example.org/org/repo@main"


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer ci-token"}) as session:
        yield session


async def ask(session, method, url, **document):
    data = json.dumps(document) if document else None
    async with session.request(method, url, data=data) as response:
        body = await response.text()
        return response.status, json.loads(body) if body else None


async def built(session, service, build, go):
    """Let a build go on, and read its log to the end; it is over then."""
    go.touch()
    async with session.get(f"{service.url}api/builds/{build['id']}/log") as response:
        return await response.text()


async def test_look_build_look_again_rebuild_and_delete(start, session, tmp_path):
    go = tmp_path / "go"
    service = start()
    await service.until_ready()
    api = service.url + "api/"

    status, seen = await ask(session, "POST", api + "resolve", repository=REPOSITORY)
    assert (status, seen["cached"], seen["expected_seconds"]) == (200, False, None)
    assert (await ask(session, "GET", api + "builds"))[1] == {"builds": []}

    status, first = await ask(session, "POST", api + "builds", repository=REPOSITORY)
    assert (status, first["image"]) == (202, seen["image"])
    assert await built(session, service, first, go) == "Step 1/1\n"

    _, seen = await ask(session, "POST", api + "resolve", repository=REPOSITORY)
    assert (seen["cached"], seen["digest"][:7]) == (True, "sha256:")

    async def known():  # once the end is in the database
        _, seen = await ask(session, "POST", api + "resolve", repository=REPOSITORY)
        return seen["expected_seconds"] is not None

    await until(known, lambda: service.log)

    go.unlink()
    status, second = await ask(session, "POST", f"{api}builds/{first['id']}/rebuild")
    assert (status, second["digest"], second["cached"]) == (202, None, False)
    assert await built(session, service, second, go) == "Step 1/1\n"

    assert await ask(session, "DELETE", f"{api}builds/{first['id']}") == (204, None)
    _, listed = await ask(session, "GET", api + "builds")
    assert [build["id"] for build in listed["builds"]] == [second["id"]]


async def test_what_was_built_before_a_restart_has_its_log_and_can_be_deleted(
    start, session, tmp_path
):
    service = start()
    await service.until_ready()
    _, build = await ask(session, "POST", service.url + "api/builds", repository=REPOSITORY)
    await built(session, service, build, tmp_path / "go")
    assert (await service.end())[0] == 0

    service = start()
    await service.until_ready()
    assert await built(session, service, build, tmp_path / "go") == "Step 1/1\n"
    url = f"{service.url}api/builds/{build['id']}"
    assert (await ask(session, "DELETE", url))[0] == 204
    status, error = await ask(session, "GET", url)
    assert (status, error["reason"]) == (404, "build-not-found")


async def test_one_under_way_is_not_deleted(start, session):
    service = start()
    await service.until_ready()
    _, build = await ask(session, "POST", service.url + "api/builds", repository=REPOSITORY)
    url = f"{service.url}api/builds/{build['id']}"
    status, error = await ask(session, "DELETE", url)
    assert (status, error["reason"]) == (409, "still-building")
    _, limits = await ask(session, "GET", service.url + "api/limits")
    assert limits["user"]["used"] == 1
    _, seen = await ask(session, "POST", service.url + "api/resolve", repository=REPOSITORY)
    assert (seen["under_way"], seen["build"]) == (True, build["id"])
    assert (await ask(session, "POST", url + "/cancel"))[0] == 200
    assert (await ask(session, "DELETE", url))[0] == 204
