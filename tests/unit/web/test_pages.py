from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from jupyterhub_imagebuilder.web.hub_site import HubSite
from jupyterhub_imagebuilder.web.pages import content_policy
from tests.unit.web.browsing import HTML
from tests.unit.web.support import PREFIX

# the first use imports JupyterHub
pytestmark = pytest.mark.timeout(20)

DATA = re.compile(
    r'<script type="application/json" id="imagebuilder-page">(.*?)</script>', re.DOTALL
)


def data_of(text):
    return json.loads(DATA.search(text)[1])


@pytest.mark.parametrize(
    ("path", "page", "build"),
    [
        ("", "images", None),
        ("link", "link", None),
        ("builds/0af3", "build", "0af3"),
        ("builds/rebuild-0af3", "build", "rebuild-0af3"),
    ],
)
async def test_a_shell_says_what_the_front_end_needs(site, path, page, build):
    await site.log_in("alice")
    status, text = await site.page(path)
    assert status == 200
    data = data_of(text)
    assert re.fullmatch("[0-9a-f]{64}", data.pop("xsrf"))
    assert data.pop("version")
    assert data == {
        "page": page,
        "build": build,
        "service": PREFIX,
        "hub": "/hub/",
        "user": {"name": "alice", "admin": False},
    }
    assert '<div id="imagebuilder"></div>' in text
    assert f'<script type="module" src="{PREFIX}static/pages-4e5f6a7b.js">' in text
    assert f'href="{PREFIX}static/pages-8c9d0e1f.css"' in text
    assert 'href="/hub/static/css/style.min.css"' in text


PULL = "content?server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fgithub.com%2Forg%2Frepo&urlpath=lab"


async def test_where_content_is_pulled_is_kept_through_the_login(site):
    _, then, _ = await site.log_in("alice", PULL)
    assert unquote(then) == f"{PREFIX}{unquote(PULL)}"
    status, text = await site.page(PULL)
    assert (status, data_of(text)["page"]) == (200, "content")


async def test_what_is_longer_than_any_link_is_not_kept_through_a_login(site):
    status, text = await site.page(f"{PULL}{'x' * 9000}")
    assert (status, "too long" in text) == (400, True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "server=%2F%2Fevil.test%2F&repo=https%3A%2F%2Fh%2Fr",
        "server=%2Fhub%2F&repo=https%3A%2F%2Fh%2Fr",
        "server=%2Fuser%2Falice%2F",
        "server=%2Fuser%2Falice%2F&repo=javascript:alert(1)",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=%2Fevil.test",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=a%2F..%2F..%2Fhub",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=%5C%5Cevil.test",
        # scripts read the first one, and programs the last one
        "server=%2F%2Fevil.test%2F&server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr",
        "server=%2Fuser%2Falice%2F&repo=file%3A%2F%2F%2Fetc&repo=https%3A%2F%2Fh%2Fr",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=%2F%2Fevil.test&urlpath=lab",
        # browsers read these as two dots as well
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=%252e%252E%2Fhub",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr&urlpath=a%2F.%252e%2F..%23",
        "server=%2Fuser%2Falice%2F&repo=https%3A%2F%2Fh%2Fr%20--upload-pack%3Dx",
    ],
)
async def test_content_is_pulled_from_a_repository_into_a_server_and_nothing_else(site, query):
    await site.log_in("alice")
    status, text = await site.page(f"content?{query}")
    assert status == 400
    assert "This link" in text


async def test_a_page_is_one_for_everybody(site):
    await site.log_in("alice")
    _, text = await site.page("link")
    assert '<html lang="en">' in text
    assert "<title>Links and badges · Image builder</title>" in text
    assert "<noscript>" in text
    skip = re.search(r'<a class="visually-hidden-focusable" href="#(\w+)">', text)
    assert f'id="{skip[1]}"' in text
    assert re.findall(r'aria-current="page">([^<]+)<', text) == ["Links and badges"]
    assert '<a href="/hub/home"><img' in text


async def test_a_page_holds_nothing_that_its_policy_forbids(site):
    await site.log_in("root")
    for path in ("", "admin", "v2/gh/o/r/main?running=1", "nowhere"):
        async with site.open(path) as response:
            text = await response.text()
            policy = response.headers["Content-Security-Policy"]
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "'unsafe" not in policy
        assert "nonce" not in policy
        assert "frame-ancestors 'none'" in policy
        scripts = re.findall(r"<script(?: [^>]*)?>", text)
        assert all("src=" in each or 'type="application/json"' in each for each in scripts)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)


def test_what_comes_from_a_hub_on_another_host():
    hub = HubSite("https://hub.example.org/hub/", "https://hub.example.org")
    policy = dict(each.split(" ", 1) for each in content_policy(hub).split("; "))
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self' https://hub.example.org"
    assert policy["img-src"] == "'self' https://hub.example.org data:"
    assert policy["default-src"] == "'none'"


async def test_names_cannot_break_out_of_a_page(site):
    name = "</script><script>alert(1)</script>&<b>"
    site.hub.users["odd"] = site.hub.users["alice"] | {"name": name}
    await site.log_in("odd")
    _, text = await site.page("")
    assert data_of(text)["user"]["name"] == name
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


async def test_the_admins_page(site):
    await site.log_in("root")
    status, text = await site.page("admin")
    assert (status, data_of(text)["page"], data_of(text)["user"]["admin"]) == (200, "admin", True)
    _, text = await site.page("")
    assert f'href="{PREFIX}admin"' in text


async def test_the_admins_page_is_nobody_elses(site):
    await site.log_in("alice")
    status, text = await site.page("admin")
    assert status == 403
    assert "for the admins" in text
    assert "<h1>Not allowed</h1>" in text
    assert not DATA.search(text)
    assert f'href="{PREFIX}admin"' not in (await site.page(""))[1]


async def test_programs_get_the_versions(site):
    for path in ("", "versions"):
        async with site.session.get(site.url + path) as response:
            assert response.status == 200
            assert (await response.json())["imagebuilder"] == "1.2.3"
    async with site.session.get(site.url) as response:
        assert response.headers["Vary"] == "Accept"


async def test_a_browser_finds_the_page_without_the_last_slash(site):
    url = site.url.removesuffix("/")
    async with site.session.get(url, headers=HTML, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, PREFIX)
    async with site.session.get(url) as response:
        assert (await response.json())["imagebuilder"] == "1.2.3"


async def test_a_person_sees_a_page_where_there_is_nothing(site):
    for path in ("nowhere", "builds/a%2Fb", "builds/", "static/absent.js"):
        async with site.open(path) as response:
            assert response.status == 404
            text = await response.text()
        if not path.startswith("static"):
            assert "<h1>Nothing here</h1>" in text
            # it has the hub's theme from there
            assert f'<script type="module" src="{PREFIX}static/pages-4e5f6a7b.js">' in text
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_front_end_that_is_not_there_is_a_page(site, built):
    await site.log_in("alice")
    (built / "manifest.json").unlink()
    status, text = await site.page("")
    assert (status, "make frontend" in text, "<script" in text) == (503, True, False)


@pytest.mark.parametrize("path", ["", "link", "admin", "builds/b1", "oauth_callback", "v2/gh/o/r"])
async def test_without_a_hub_there_are_no_pages(web, path):
    async with web.session.get(web.url + path, headers=HTML) as response:
        text = await response.text()
        assert response.status == 404
    assert "runs without a JupyterHub" in text
    assert "Set-Cookie" not in response.headers


async def test_pages_are_not_kept(site):
    await site.log_in("alice")
    async with site.open("link") as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
