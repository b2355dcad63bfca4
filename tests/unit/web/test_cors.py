from __future__ import annotations

import pytest
from traitlets.config import Config, Configurable

from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.web.cors import CrossOrigin, configured
from tests.unit.web.support import DIGEST

PORTAL = "https://portal.example.org"
ASKED = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def parent(origins):
    return Configurable(config=Config({"CrossOrigin": {"allowed_origins": origins}}))


async def answer(web, method, path, origin=PORTAL, **kwargs):
    headers = {"Origin": origin} | (ASKED if method == "OPTIONS" else {})
    async with web.request(method, path, headers=headers, **kwargs) as response:
        return response.status, {
            name: value
            for name, value in response.headers.items()
            if name.startswith("Access-Control-") or name == "Vary"
        }


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_no_page_of_another_origin_by_default(web, method):
    status, headers = await answer(web, method, "versions")
    assert headers == {}
    assert status == (200 if method == "GET" else 405)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("build/gh/org/repo/main", "alice-token", 200),
        ("build/gh/org/repo/main", None, 200),
        ("api/builds", None, 401),
        ("api/builds/none", "alice-token", 404),
        ("nowhere", None, 404),
    ],
)
async def test_answers_and_refusals_reach_the_page(web, path, token, status):
    web.backend.cors.allowed_origins = [PORTAL]
    web.builds.next_build.complete(DIGEST, 1000.0)
    assert await answer(web, "GET", path, token=token) == (
        status,
        {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": PORTAL,
            "Access-Control-Expose-Headers": "Retry-After",
        },
    )


async def test_a_page_may_send_the_authorization_header(web):
    web.backend.cors.allowed_origins = [PORTAL]
    status, headers = await answer(web, "OPTIONS", "build/gh/org/repo/main", token=None)
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == PORTAL
    assert {"Authorization", "Last-Event-ID"} <= set(
        headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "GET" in headers["Access-Control-Allow-Methods"].split(", ")
    # with it, a browser would send cookies, which are nobody's business here
    assert "Access-Control-Allow-Credentials" not in headers
    assert web.builds.asked == []


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PORTAL}.evil.example", "null", ""])
async def test_another_origin_than_the_named(web, origin):
    web.backend.cors.allowed_origins = [PORTAL]
    assert await answer(web, "GET", "versions", origin) == (200, {"Vary": "Origin"})
    assert await answer(web, "OPTIONS", "versions", origin) == (405, {"Vary": "Origin"})


async def test_all_origins(web):
    web.backend.cors.allowed_origins = ["*"]
    status, headers = await answer(web, "GET", "versions")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert (await answer(web, "OPTIONS", "api/builds"))[0] == 204


@pytest.mark.parametrize(
    "origin", ["*", PORTAL, "http://127.0.0.1:8000", "http://[::1]:8000", "http://hub"]
)
def test_what_an_admin_may_write(origin):
    assert configured(parent([origin])).allowed_origins == [origin]


@pytest.mark.parametrize(
    "origin", ["portal.example.org", f"{PORTAL}/", f"{PORTAL}/hub", "HTTPS://x", "ftp://x", "", 5]
)
def test_what_is_no_origin_is_a_sentence(origin):
    with pytest.raises(ConfigurationError, match="allowed_origins"):
        configured(parent([origin]))


def test_no_origin_unless_configured():
    assert CrossOrigin().headers(PORTAL) == {}


HUB = "https://hub.example.org:8443"


async def test_the_hubs_own_pages_may_use_it_wherever_they_are(web):
    web.backend.cors.hub_origin = HUB
    for method, status in (("GET", 200), ("OPTIONS", 204)):
        found, headers = await answer(web, method, "versions", HUB)
        assert (found, headers["Access-Control-Allow-Origin"]) == (status, HUB)
        assert "Access-Control-Allow-Credentials" not in headers
    _, headers = await answer(web, "OPTIONS", "api/builds/b1/published", HUB)
    assert {"PUT", "DELETE"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert await answer(web, "GET", "versions") == (200, {"Vary": "Origin"})


def test_the_hubs_origin_joins_what_the_admin_named():
    cors = configured(parent([PORTAL]), HUB)
    for origin in (PORTAL, HUB):
        assert cors.headers(origin)["Access-Control-Allow-Origin"] == origin
    assert configured(parent([])).headers("") == {}
    assert "Access-Control-Allow-Origin" not in configured(parent([]), HUB).headers("null")
