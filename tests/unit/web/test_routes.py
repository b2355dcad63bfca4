from __future__ import annotations

import logging

import pytest

from jupyterhub_imagebuilder.errors import RegistryUnavailable
from tests.unit.web.support import ALICE, DIGEST


@pytest.fixture
def access_log(caplog):
    caplog.set_level(logging.DEBUG, logger="jupyterhub_imagebuilder")
    return lambda: [r.getMessage() for r in caplog.records if r.name.endswith("web.routes")]


async def test_the_access_log_has_no_query_and_no_password(web, access_log, caplog):
    web.builds.next_build.complete(DIGEST, 1000.0)
    await web.text(f"build/gh/org/repo/main?token={ALICE}", token=None)
    await web.json("GET", "api/builds?secret=1")
    path = "build/git/https%3A%2F%2Fuser%3As3cret%40git.example.org%2Forg%2Frepo/main"
    await web.text(path)
    first, second, third = access_log()
    assert first.startswith("GET /services/imagebuilder/build/gh/org/repo/main 200 ")
    assert first.endswith(" ms")
    assert second.startswith("GET /services/imagebuilder/api/builds 200 ")
    assert "git.example.org%2Forg%2Frepo/main 200" in third
    assert not any(secret in caplog.text for secret in (ALICE, "secret=1", "s3cret"))


async def test_an_address_of_nobody_is_404(web):
    for path in ("nowhere", "api", "api/builds/a/b/c", "healthz"):
        status, error = await web.json("GET", path)
        assert status == 404
        assert error["message"] == "There is nothing at this address."


async def test_outside_the_prefix_is_404(web):
    async with web.session.get(web.url.replace("/services/imagebuilder", "")) as response:
        assert response.status == 404


async def test_a_method_of_nobody_is_405(web):
    for method, path, allowed in (
        ("PUT", "api/builds", "GET, POST"),
        ("TRACE", "api/builds/b1", "GET, DELETE"),
        ("OPTIONS", "health", "GET, HEAD"),
        ("DELETE", "versions", "GET, HEAD"),
        ("POST", "build/gh/x", "GET"),
    ):
        async with web.request(method, path) as response:
            assert (response.status, response.headers["Allow"]) == (405, allowed)
            assert (await response.json())["message"]


@pytest.mark.parametrize("path", ["versions", "api/builds", "nowhere", "build/gh/org/repo/main"])
async def test_every_answer_has_the_security_headers(web, path):
    web.builds.next_build.complete(DIGEST, 1000.0)
    async with web.request("GET", path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] in ("no-store", "no-cache")
        assert not {"Server", "Etag", "Set-Cookie"} & response.headers.keys()


async def test_a_hub_finds_its_service_without_the_last_slash(web):
    async with web.session.get(web.url.removesuffix("/")) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["", "versions"])
async def test_versions_need_no_token(web, path):
    versions = {"binderhub": "jupyterhub-imagebuilder 1.2.3", "imagebuilder": "1.2.3"}
    assert await web.json("GET", path, token=None) == (200, versions)


async def test_health_is_200_when_all_is_well(web):
    async def well():
        pass

    web.backend.health.watch({"registry": well, "executor": well})
    assert await web.json("GET", "health", token=None) == (
        200,
        {
            "ok": True,
            "checks": [{"service": "registry", "ok": True}, {"service": "executor", "ok": True}],
        },
    )


async def test_health_is_503_when_something_is_not(web):
    async def well():
        pass

    async def ill():
        raise RegistryUnavailable("The registry does not answer.")

    web.backend.health.watch({"registry": ill, "executor": well})
    status, document = await web.json("GET", "health", token=None)
    assert status == 503
    assert document == {
        "ok": False,
        "checks": [
            {"service": "registry", "ok": False, "message": "The registry does not answer."},
            {"service": "executor", "ok": True},
        ],
    }
    async with web.request("HEAD", "health", token=None) as response:
        assert response.status == 503
    assert (await web.json("GET", "versions"))[0] == 200
