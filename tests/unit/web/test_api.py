from __future__ import annotations

import asyncio
import json

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine
from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildFailed,
    BuildUnderWay,
    ProviderUnavailable,
    QuotaExceeded,
    Reason,
    RefNotFound,
    RegistryUnavailable,
    ServiceUnavailable,
    SpecForbidden,
    SpecInvalid,
    StoreUnavailable,
)
from jupyterhub_imagebuilder.web.logs import Buffer
from tests.unit.web.support import ADMIN, ALICE, BOB, COMMIT, DIGEST, OWN, new_build, turns, until

REPOSITORY = "https://git.example.org/org/repo@main"


class TestPostBuilds:
    async def test_a_build_under_way_is_202(self, web):
        status, build = await web.post("api/builds", {"repository": REPOSITORY})
        assert status == 202
        assert build == {
            "id": "b1",
            "phase": "waiting",
            "message": "Waiting for the build to start",
            "reason": None,
            "provider": "git",
            "spec": "https://git.example.org/org/repo/main",
            "repository": "https://git.example.org/org/repo",
            "ref": "main",
            "commit": COMMIT,
            "image": f"registry.example.org/team/org-repo-0a1b2c:{COMMIT}-1c2d3e4f",
            "pinned": f"build:git/https://git.example.org/org/repo/{COMMIT}",
            "digest": None,
            "cached": False,
            "created": "1970-01-01T00:16:40+00:00",
            "phases": {"waiting": "1970-01-01T00:16:40+00:00"},
            "finished": None,
            "position": None,
            "owner": "alice",
            "mine": True,
            "published": False,
            "size": None,
        }
        owner = Owner("alice", groups=frozenset({"staff"}))
        assert web.builds.asked == [(REPOSITORY, owner, None)]

    async def test_one_that_is_over_is_200_and_pinned(self, web):
        web.builds.next_build.complete(DIGEST, 1002.5, cached=True)
        status, build = await web.post("api/builds", {"repository": REPOSITORY})
        assert status == 200
        assert build["phase"] == "built"
        assert build["image"] == f"registry.example.org/team/org-repo-0a1b2c@{DIGEST}"
        assert build["digest"] == DIGEST
        assert build["cached"] is True
        assert build["finished"] == "1970-01-01T00:16:42.500000+00:00"

    async def test_one_that_failed_says_why(self, web):
        web.builds.next_build.fail(BuildFailed("Step 3 failed."), 1001.0)
        status, build = await web.post("api/builds", {"repository": REPOSITORY})
        assert (status, build["phase"], build["reason"], build["message"]) == (
            200,
            "failed",
            "build-failed",
            "Step 3 failed.",
        )

    async def test_where_the_build_is(self, web):
        document = json.dumps({"repository": REPOSITORY})
        async with web.request("POST", "api/builds", data=document) as response:
            assert response.headers["Location"] == "/services/imagebuilder/api/builds/b1"

    async def test_the_commit_and_the_owner_are_passed_on(self, web):
        owner = {"name": "bob", "groups": ["x"], "admin": False}
        document = {"repository": REPOSITORY, "commit": COMMIT, "owner": owner}
        status, _ = await web.post("api/builds", document, token=OWN)
        assert status == 202
        expected = Owner("bob", OwnerKind.USER, frozenset({"x"}))
        assert web.builds.asked == [(REPOSITORY, expected, COMMIT)]

    async def test_only_the_own_token_names_an_owner(self, web):
        document = {"repository": REPOSITORY, "owner": {"name": "bob"}}
        for token in (ALICE, ADMIN):
            status, error = await web.post("api/builds", document, token=token)
            assert (status, error["reason"]) == (403, "access-denied")
        assert web.builds.asked == []

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("\xff", "not JSON"),
            ("[" * 20000, "not JSON"),
            ("[]", "JSON object"),
            ("null", "JSON object"),
            ("{}", "lacks repository"),
            ('{"repository": 7}', "has to be text"),
            ('{"repository": "x", "commit": 7}', "commit has to be text"),
            ('{"repository": "x", "comit": "y"}', "unknown keys: comit"),
        ],
    )
    async def test_a_bad_body_is_400_with_a_sentence(self, web, body, words):
        status, error = await web.json("POST", "api/builds", data=body.encode("latin-1"))
        assert (status, error["reason"]) == (400, "spec-invalid")
        assert words in error["message"]

    async def test_a_large_body_is_413(self, web):
        status, error = await web.json("POST", "api/builds", data=b" " * (64 * 1024 + 1))
        assert status == 413
        assert "64 KiB" in error["message"]

    @pytest.mark.parametrize(
        "refusal",
        [
            SpecInvalid("a"),
            SpecForbidden("b"),
            RefNotFound("c"),
            ProviderUnavailable("d"),
            RegistryUnavailable("e"),
            ServiceUnavailable("f"),
            BuildFailed("g", Reason.QUOTA),
        ],
    )
    async def test_a_refusal_is_its_status_reason_and_sentence(self, web, refusal):
        web.builds.error = refusal
        status, error = await web.post("api/builds", {"repository": REPOSITORY})
        assert status == refusal.status
        assert error == {"reason": refusal.reason.value, "message": refusal.message}

    async def test_a_fault_says_nothing_of_itself(self, web, caplog):
        web.builds.error = LookupError("secret")
        status, error = await web.post("api/builds", {"repository": REPOSITORY})
        assert (status, error["reason"]) == (500, "internal")
        assert "secret" not in error["message"]
        assert "LookupError" in caplog.text

    async def test_before_the_start_it_is_503(self, web):
        web.backend.builds = None
        status, error = await web.post("api/builds", {"repository": REPOSITORY})
        assert (status, error["reason"]) == (503, "service-unavailable")
        assert "starting" in error["message"]

    async def test_without_a_token_it_is_401(self, web):
        document = json.dumps({"repository": REPOSITORY})
        async with web.request("POST", "api/builds", token=None, data=document) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert (await response.json())["reason"] == "authentication-required"

    @pytest.mark.parametrize("query", ["token=alice-token", "Authorization=Bearer+alice-token"])
    async def test_a_token_in_the_query_or_a_cookie_is_no_token(self, web, query):
        status, _ = await web.post(
            f"api/builds?{query}",
            {"repository": REPOSITORY},
            token=None,
            cookies={"jupyterhub-services": ALICE, "token": ALICE},
        )
        assert status == 401


class TestGetBuilds:
    async def test_each_sees_their_own_and_admins_all(self, web):
        web.builds.known = {
            "a": new_build(Owner("alice"), "a"),
            "b": new_build(Owner("bob"), "b"),
        }
        for token, ids in ((ALICE, ["a"]), (BOB, ["b"]), (ADMIN, ["b", "a"]), (OWN, ["b", "a"])):
            status, document = await web.json("GET", "api/builds", token=token)
            assert status == 200
            assert [build["id"] for build in document["builds"]] == ids
        _, document = await web.json("GET", "api/builds?own=true", token=ADMIN)
        assert document["builds"] == []
        _, document = await web.json("GET", "api/builds?own=true", token=ALICE)
        assert [build["id"] for build in document["builds"]] == ["a"]

    async def test_a_listing_goes_on_where_the_last_one_ended(self, web):
        web.builds.known = {"a": new_build(Owner("alice"), "a")}
        created = (await web.json("GET", "api/builds/a"))[1]["created"]
        status, _ = await web.json("GET", f"api/builds?limit=7&before={created}")
        assert status == 200
        assert web.builds.asked[-1] == ("list", 7, 1000.0)

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=1001", "limit=x", "limit=²", "limit=-1", "before=yesterday", "own=1"],
    )
    async def test_a_bad_listing_is_400_with_a_sentence(self, web, query):
        status, error = await web.json("GET", f"api/builds?{query}")
        assert (status, error["reason"]) == (400, "spec-invalid")
        assert query.partition("=")[0] in error["message"]

    async def test_one(self, web):
        web.builds.known = {"a": new_build(Owner("alice"), "a")}
        assert (await web.json("GET", "api/builds/a"))[1]["id"] == "a"
        for path, token in (("api/builds/a", BOB), ("api/builds/x", ALICE)):
            status, error = await web.json("GET", path, token=token)
            assert (status, error["reason"]) == (404, "build-not-found")


class TestCancel:
    async def test_it_answers_with_the_build_as_it_ended(self, web):
        await web.post("api/builds", {"repository": REPOSITORY})
        status, build = await web.json("POST", "api/builds/b1/cancel")
        assert status == 200
        assert (build["phase"], build["reason"]) == ("cancelled", "cancelled")
        assert build["message"] == "alice stopped this build."

    async def test_who_may_not_is_told_so(self, web):
        await web.post("api/builds", {"repository": REPOSITORY})
        web.builds.error = AccessDenied("Only the one who asked for this build first may stop it.")
        status, error = await web.json("POST", "api/builds/b1/cancel")
        assert (status, error["reason"]) == (403, "access-denied")

    @pytest.mark.parametrize(("token", "expected"), [(BOB, 404), (None, 401)])
    async def test_a_build_of_somebody_else_is_not_there(self, web, token, expected):
        await web.post("api/builds", {"repository": REPOSITORY})
        status, _ = await web.json("POST", "api/builds/b1/cancel", token=token)
        assert status == expected
        assert not web.builds.known["b1"].over


class TestRebuild:
    async def test_it_answers_with_the_new_build(self, web):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        status, build = await web.json("POST", "api/builds/old/rebuild")
        assert (status, build["id"], build["phase"]) == (202, "b1", "waiting")
        assert web.builds.asked[-1][:2] == ("rebuild", "old")
        async with web.request("POST", "api/builds/old/rebuild") as response:
            assert response.headers["Location"] == "/services/imagebuilder/api/builds/b1"

    @pytest.mark.parametrize(
        "refusal",
        [AccessDenied("a"), SpecForbidden("b"), QuotaExceeded("c"), StoreUnavailable("d")],
    )
    async def test_refusals(self, web, refusal):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        web.builds.error = refusal
        status, error = await web.json("POST", "api/builds/old/rebuild")
        assert (status, error["reason"]) == (refusal.status, refusal.reason.value)

    @pytest.mark.parametrize(("token", "expected"), [(BOB, 404), (None, 401)])
    async def test_who_may_not(self, web, token, expected):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        assert (await web.json("POST", "api/builds/old/rebuild", token=token))[0] == expected


class TestDelete:
    async def test_it_is_gone_and_nothing_is_said(self, web):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        async with web.request("DELETE", "api/builds/old") as response:
            assert response.status == 204
            assert await response.read() == b""
            assert "Content-Type" not in response.headers
        assert (await web.json("GET", "api/builds/old"))[0] == 404

    async def test_one_that_is_under_way_is_409(self, web):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        web.builds.error = BuildUnderWay("This build is still under way.")
        status, error = await web.json("DELETE", "api/builds/old")
        assert (status, error["reason"]) == (409, "still-building")
        assert "under way" in error["message"]

    @pytest.mark.parametrize(("token", "expected"), [(BOB, 404), (None, 401)])
    async def test_who_may_not(self, web, token, expected):
        web.builds.known["old"] = new_build(Owner("alice"), "old")
        assert (await web.json("DELETE", "api/builds/old", token=token))[0] == expected
        assert "old" in web.builds.known


class TestLog:
    @pytest.fixture
    def build(self, web):
        build = new_build()
        web.builds.known[build.id] = build
        return build

    async def test_lines_gaps_and_why_there_is_no_image(self, web, build):
        build.observe(LogLine("uid", 0, "Step 1/2", Phase.BUILDING), 1000.0)
        build.observe(LogLine("uid", 1, "größe \ud800"), 1000.0)
        build.observe(Gap("3 lines are lost"), 1000.0)
        build.observe(LogLine("uid", 2, ""), 1000.0)
        build.fail(BuildFailed("pip failed"), 1001.0)
        async with web.request("GET", "api/builds/b1/log") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            text = await response.text()
        assert text == "Step 1/2\ngröße ?\n[3 lines are lost]\n\n[failed: pip failed]\n"

    async def test_what_is_built_says_no_more(self, web, build):
        build.observe(LogLine("uid", 0, "done"), 1000.0)
        build.complete(DIGEST, 1001.0)
        assert await web.text("api/builds/b1/log") == "done\n"

    async def test_one_without_a_line(self, web, build):
        build.complete(DIGEST, 1001.0)
        assert await web.text("api/builds/b1/log") == ""

    async def test_what_happens_arrives_when_it_happens(self, web, build):
        async with web.request("GET", "api/builds/b1/log") as response:
            build.observe(LogLine("uid", 0, "now"), 1000.0)
            assert await response.content.readline() == b"now\n"
            build.observe(LogLine("uid", 1, "then"), 1000.0)
            assert await response.content.readline() == b"then\n"
            build.complete(DIGEST, 1001.0)
            assert await response.content.read() == b""

    async def test_a_long_one_is_never_all_in_memory(self, web, build, monkeypatch):
        sizes = []
        take = Buffer.take

        async def measured(buffer):
            data = await take(buffer)
            sizes.append(len(data))
            return data

        monkeypatch.setattr(Buffer, "take", measured)
        lines = [f"{n} {'x' * 500}" for n in range(4000)]
        for n, line in enumerate(lines):
            build.observe(LogLine("uid", n, line), 1000.0)
        build.complete(DIGEST, 1001.0)
        assert await web.text("api/builds/b1/log") == "\n".join(lines) + "\n"
        assert max(sizes) < 70_000
        assert len(sizes) < 100

    async def test_a_client_that_leaves_leaves_nothing_behind(self, web, build):
        async with web.request("GET", "api/builds/b1/log") as response:
            build.observe(LogLine("uid", 0, "now"), 1000.0)
            await response.content.readline()
            response.close()
        await until(lambda: not [t for t in asyncio.all_tasks() if "log as text" in t.get_name()])

    async def test_the_end_of_the_service_ends_it(self, web, build):
        async with web.request("GET", "api/builds/b1/log") as response:
            build.observe(LogLine("uid", 0, "now"), 1000.0)
            await response.content.readline()
            build.release()
            assert await response.content.read() == b""

    async def test_a_build_of_somebody_else_is_404_in_json(self, web, build):
        status, error = await web.json("GET", "api/builds/b1/log", token=BOB)
        assert (status, error["reason"]) == (404, "build-not-found")


class TestEvents:
    @pytest.fixture
    def build(self, web):
        build = new_build()
        web.builds.known[build.id] = build
        return build

    async def test_all_of_a_build_that_is_over(self, web, build):
        build.observe(LogLine("uid", 0, "Step 1/2", Phase.BUILDING), 1000.0)
        build.observe(LogLine("uid", 1, "größe"), 1000.0)
        build.observe(Gap("3 lines are lost"), 1000.0)
        build.complete(DIGEST, 1001.0)
        async with web.request("GET", "api/builds/b1/events") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["X-Accel-Buffering"] == "no"
            frames = (await response.text()).split("\n\n")
        assert [f.partition("\n")[0] for f in frames if f.startswith("id:")] == [
            "id: uid:0",
            "id: uid:1",
        ]
        documents = [json.loads(f.partition("data: ")[2]) for f in frames if f]
        waiting, building, first, second, gap, built = documents
        assert waiting["phase"] == "waiting"
        assert building == {
            "type": "phase",
            "phase": "building",
            "message": "Building the image",
            "reason": None,
            "image": None,
            "digest": None,
        }
        assert first == {"type": "log", "text": "Step 1/2", "phase": "building"}
        assert second == {"type": "log", "text": "größe", "phase": None}
        assert gap == {"type": "gap", "message": "3 lines are lost"}
        assert (built["phase"], built["digest"]) == ("built", DIGEST)
        assert built["image"].endswith("@" + DIGEST)

    async def test_it_resumes_behind_the_last_event_id(self, web, build):
        for n in range(3):
            build.observe(LogLine("uid", n, f"line {n}"), 1000.0)
        build.complete(DIGEST, 1001.0)
        text = await web.text("api/builds/b1/events", headers={"Last-Event-ID": "uid:1"})
        assert "line 1" not in text
        assert "line 2" in text
        everything = await web.text("api/builds/b1/events", headers={"Last-Event-ID": "other:1"})
        assert "line 0" in everything

    async def test_what_happens_arrives_when_it_happens(self, web, build):
        async with web.request("GET", "api/builds/b1/events") as response:
            assert b"waiting" in await response.content.readuntil(b"\n\n")
            build.observe(LogLine("uid", 0, "now"), 1000.0)
            assert b'"now"' in await response.content.readuntil(b"\n\n")
            build.complete(DIGEST, 1001.0)
            assert b"built" in await response.content.read()

    async def test_a_client_that_leaves_leaves_nothing_behind(self, web, build):
        async with web.request("GET", "api/builds/b1/events") as response:
            await response.content.readuntil(b"\n\n")
            assert len(web.backend.streams) == 1
            response.close()
        await until(lambda: not len(web.backend.streams))
        build.complete(DIGEST, 1001.0)
        await turns()

    async def test_a_stop_ends_the_stream_in_order(self, web, build):
        async with web.request("GET", "api/builds/b1/events") as response:
            await response.content.readuntil(b"\n\n")
            web.backend.streams.stop()
            assert await response.content.read() == b""

    async def test_a_build_of_somebody_else_is_404_in_json(self, web, build):
        status, error = await web.json("GET", "api/builds/b1/events", token=BOB)
        assert (status, error["reason"]) == (404, "build-not-found")

    async def test_a_thousand_lines_arrive_in_order(self, web, build):
        for n in range(1000):
            build.observe(LogLine("uid", n, "x" * 300), 1000.0)
        build.complete(DIGEST, 1001.0)
        text = await web.text("api/builds/b1/events")
        ids = [line for line in text.split("\n") if line.startswith("id: ")]
        assert ids == [f"id: uid:{n}" for n in range(1000)]


class TestImages:
    image = f"registry.example.org/team/x@{DIGEST}"

    async def test_an_image_that_is_known(self, web):
        document = {"image": self.image, "owner": {"name": "bob"}}
        status, answer = await web.post("api/images", document, token=OWN)
        assert (status, answer) == (200, {"image": self.image})
        assert web.builds.asked == [(self.image, Owner("bob"))]

    async def test_one_that_is_not(self, web):
        status, error = await web.post("api/images", {"image": "x:1"})
        assert (status, error["reason"]) == (404, "image-unknown")

    async def test_users_do_not_ask_for_others(self, web):
        document = {"image": self.image, "owner": {"name": "bob"}}
        status, _ = await web.post("api/images", document)
        assert status == 403

    async def test_an_image_that_is_no_text(self, web):
        status, error = await web.post("api/images", {"image": [self.image]})
        assert (status, error["reason"]) == (400, "spec-invalid")
