"""Suggestions, changes, what is published, and the overview, with the real domain behind them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import ProviderUnavailable, StoreUnavailable
from tests.fakes.store import MemoryStore
from tests.unit.builds.world import REPO, LongWaits, World
from tests.unit.web.answers import validator
from tests.unit.web.support import ADMIN, ALICE, BOB, OWN, until


@pytest.fixture
async def world(web):
    world = World(limits=QueueLimits(running=1))
    world.store, world.clock = MemoryStore(), LongWaits()
    world.domain = web.backend.builds = world.service()
    yield world
    web.backend.streams.stop()
    await world.domain.stop()


async def built(web, world, text=REPO, token=ALICE):
    """A build that is over, as the owner sees it."""
    _, build = await web.post("api/builds", {"repository": text}, token=token)
    known = world.domain._catalog.known(build["id"])
    await until(lambda: known.over)
    return (await web.json("GET", f"api/builds/{build['id']}", token=token))[1]


# -- Suggestions ---------------------------------------------------------------------------------


async def test_refs(web, world):
    world.provider.commits[REPO, "v1.0"] = "a" * 40
    world.provider.tags = {"v1.0"}
    for text in (REPO, f"{REPO}@nope", f"build:git/{quote(REPO, safe='')}/v1.0"):
        status, found = await web.json("GET", f"api/refs?repository={quote(text)}")
        assert status == 200
        assert found["default"] == "main"
        assert [(ref["name"], ref["kind"]) for ref in found["refs"]] == [
            ("main", "branch"),
            ("v1.0", "tag"),
        ]
        assert found["refs"][1]["commit"] == "a" * 40
        assert found["more"] is False


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", 400, "spec-invalid"),
        ("?repository=", 400, "spec-invalid"),
        ("?repository=nothing", 400, "spec-invalid"),
        ("?repository=https://git.example.org/org/absent", 404, "ref-not-found"),
        (f"?repository={REPO}-away", 502, "provider-unavailable"),
    ],
)
async def test_refs_that_cannot_be_told(web, world, query, status, reason):
    world.provider.failures[f"{REPO}-away"] = ProviderUnavailable("The host is away.")
    answer = await web.json("GET", f"api/refs{query}")
    assert (answer[0], answer[1]["reason"]) == (status, reason)
    assert (await web.json("GET", "api/refs?repository=x", token=None))[0] == 401


async def test_repositories_that_somebody_asked_for(web, world):
    assert await web.json("GET", "api/repositories") == (200, {"repositories": []})
    world.provider.commits[REPO, "main"] = "a" * 40
    for text in (REPO, f"{REPO}@main", REPO):
        await built(web, world, text)
        world.clock.time += 1
    await built(web, world, token=BOB)
    _, found = await web.json("GET", "api/repositories")
    assert [entry["text"] for entry in found["repositories"]] == [f"{REPO}@main", REPO]
    first = found["repositories"][0]
    assert first.keys() == {"text", "repository", "ref", "provider", "used"}
    assert (first["repository"], first["provider"]) == (REPO, "git")


# -- Published -----------------------------------------------------------------------------------


async def test_who_asked_first_is_no_business_of_who_asks_too(web, world):
    world.provider.commits[REPO, "main"] = "a" * 40
    first = await built(web, world, f"{REPO}@main")
    _, joined = await web.post("api/builds", {"repository": f"{REPO}@main"}, token=BOB)
    assert (joined["id"], joined["mine"], joined["owner"]) == (first["id"], True, None)
    for token in (ALICE, ADMIN):
        _, seen = await web.json("GET", f"api/builds/{first['id']}", token=token)
        assert seen["owner"] == "alice"


async def test_a_published_build_is_everybodys_to_see_and_to_start(web, world, caplog):
    caplog.set_level("INFO", logger="jupyterhub_imagebuilder.builds.administration")
    build = await built(web, world)
    address = f"api/builds/{build['id']}"
    owner = {"name": "bob", "groups": [], "admin": False}
    question = {"image": build["image"], "owner": owner}
    assert (await web.json("GET", address, token=BOB))[0] == 404
    assert (await web.post("api/images", question, token=OWN))[0] == 404
    for _ in range(2):
        status, document = await web.json("PUT", f"{address}/published", token=ADMIN)
        assert (status, document["published"], document["owner"]) == (200, True, "alice")
    said = [r for r in caplog.records if r.name.endswith(".administration")]
    assert [r.getMessage() for r in said] == [
        f"the admin root published build {build['id']} ({build['image']})"
    ]
    status, seen = await web.json("GET", address, token=BOB)
    assert (status, seen["owner"], seen["mine"], seen["published"]) == (200, None, False, True)
    _, listed = await web.json("GET", "api/builds", token=BOB)
    assert [each["id"] for each in listed["builds"]] == [build["id"]]
    assert (await web.post("api/images", question, token=OWN))[0] == 200
    async with web.request("GET", f"{address}/log", token=BOB) as response:
        assert response.status == 200
    # but it is not theirs
    for method, path in (("POST", "/cancel"), ("POST", "/rebuild"), ("DELETE", "")):
        status, refusal = await web.json(method, address + path, token=BOB)
        assert (status, refusal["reason"]) == (403, "access-denied")
    status, refusal = await web.json("DELETE", address)
    assert (status, refusal["reason"]) == (403, "access-denied")
    assert (await web.json("DELETE", f"{address}/published", token=ADMIN))[1]["published"] is False
    assert (await web.json("GET", address, token=BOB))[0] == 404
    assert (await web.post("api/images", question, token=OWN))[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_admins_publish(web, world, method):
    build = await built(web, world)
    for token, status in ((ALICE, 403), (BOB, 403), (None, 401)):
        answer = await web.json(method, f"api/builds/{build['id']}/published", token=token)
        assert answer[0] == status
    assert (await web.json("GET", "api/builds", token=BOB))[1]["builds"] == []
    assert (await web.json(method, "api/builds/none/published", token=ADMIN))[0] == 404


async def test_what_is_no_image_is_not_published(web, world):
    world.executor.manual = True
    _, build = await web.post("api/builds", {"repository": REPO})
    address = f"api/builds/{build['id']}"
    answer = await web.json("PUT", f"{address}/published", token=ADMIN)
    assert (answer[0], answer[1]["reason"]) == (409, "still-building")
    await web.json("POST", f"{address}/cancel")
    answer = await web.json("PUT", f"{address}/published", token=ADMIN)
    assert (answer[0], answer[1]["reason"]) == (404, "image-unknown")


async def test_publishing_while_the_database_is_away(web, world):
    build = await built(web, world)
    world.store.unavailable = StoreUnavailable("The database is away.")
    status, _ = await web.json("PUT", f"api/builds/{build['id']}/published", token=ADMIN)
    assert status == 503
    assert (await web.json("GET", f"api/builds/{build['id']}"))[1]["published"] is False


async def test_a_published_build_outlives_the_process_that_made_it(web, world):
    build = await built(web, world)
    await web.json("PUT", f"api/builds/{build['id']}/published", token=ADMIN)
    await world.domain.stop()
    world.domain = web.backend.builds = world.service()
    _, listed = await web.json("GET", "api/builds", token=BOB)
    assert [(each["id"], each["published"]) for each in listed["builds"]] == [(build["id"], True)]


# -- Overview ------------------------------------------------------------------------------------


async def test_overview(web, world):
    build = await built(web, world)
    world.executor.manual = True
    status, found = await web.json("GET", "api/overview", token=ADMIN)
    assert status == 200
    assert found["images"] == {"count": 1, "bytes": build["size"] or 0}
    assert found["failures"] == []
    assert found["disk"] is None
    assert found["limits"]["running"] == {"limit": 1, "used": 0}
    for token in (ALICE, BOB):
        answer = await web.json("GET", "api/overview", token=token)
        assert (answer[0], answer[1]["reason"]) == (403, "access-denied")
    world.store.unavailable = StoreUnavailable("The database is away.")
    assert (await web.json("GET", "api/overview", token=ADMIN))[0] == 503


# -- Changes -------------------------------------------------------------------------------------


class Watch:
    """One who watches the changes."""

    def __init__(self, response):
        self._response = response
        self.hello = None

    async def next(self):
        while (line := (await self._response.content.readline()).decode()) != "":
            if line.startswith("data: "):
                change = json.loads(line.removeprefix("data: "))
                validator("Change").validate(change)
                return change
        return None

    async def phase(self, phase):
        while (change := await self.next())["build"]["phase"] != phase:
            pass
        return change["build"]


@pytest.fixture
async def watch(web, world):
    responses = []

    async def begin(token=ALICE):
        response = await web.request("GET", "api/changes", token=token)
        responses.append(response)
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        # from here on nothing is missed
        viewer = Watch(response)
        assert await viewer.next() == {"type": "listening"}
        return viewer

    yield begin
    for response in responses:
        response.close()


async def test_changes_of_a_build_reach_who_may_see_it(web, world, watch):
    world.executor.manual = True
    alice, bob, admin = await watch(), await watch(BOB), await watch(ADMIN)
    _, build = await web.post("api/builds", {"repository": REPO})
    for viewer, mine in ((alice, True), (admin, False)):
        change = await viewer.next()
        assert (change["type"], change["build"]["id"]) == ("build", build["id"])
        assert (change["build"]["mine"], change["build"]["owner"]) == (mine, "alice")
    await web.json("POST", f"api/builds/{build['id']}/cancel")
    assert (await alice.phase("cancelled"))["reason"] == "cancelled"
    async with web.request("DELETE", f"api/builds/{build['id']}") as response:
        assert response.status == 204
    while (change := await alice.next())["type"] != "gone":
        pass
    assert change["id"] == build["id"]
    # of all that bob was told nothing: what he hears first is his own
    _, his = await web.post("api/builds", {"repository": f"{REPO}@main"}, token=BOB)
    assert (await bob.next())["build"]["id"] == his["id"]


async def test_publishing_is_a_change_for_everybody(web, world, watch):
    build = await built(web, world)
    bob = await watch(BOB)
    await web.json("PUT", f"api/builds/{build['id']}/published", token=ADMIN)
    change = await bob.next()
    assert (change["build"]["id"], change["build"]["published"]) == (build["id"], True)
    await web.json("DELETE", f"api/builds/{build['id']}/published", token=ADMIN)
    assert await bob.next() == {"type": "gone", "id": build["id"]}


async def test_places_in_the_queue(web, world, watch):
    world.executor.manual = True
    for name in "abc":
        world.provider.commits[f"{REPO}-{name}", "HEAD"] = name * 40
        await web.post("api/builds", {"repository": f"{REPO}-{name}"})
        world.clock.time += 1
    _, listed = await web.json("GET", "api/builds")
    assert [each["position"] for each in listed["builds"]] == [2, 1, None]
    alice = await watch()
    await web.json("POST", f"api/builds/{listed['builds'][1]['id']}/cancel")
    last = listed["builds"][0]["id"]
    while (change := await alice.next())["build"]["id"] != last:
        pass
    assert change["build"]["position"] == 1


async def test_the_end_of_the_service_ends_the_stream(web, world, watch):
    alice = await watch()
    await world.domain.stop()
    assert await alice.next() is None


async def test_no_token_no_changes(web, world):
    assert (await web.json("GET", "api/changes", token=None))[0] == 401
