from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from yarl import URL

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.web.hub_site import HubSite
from jupyterhub_imagebuilder.web.links import link_parts, login_link
from tests.unit.web.browsing import HTML
from tests.unit.web.support import PREFIX


async def follow(site, path):
    """The login's path, the form's, its wish, and where it sends a user whose server runs."""
    url = URL(f"{site.url}v2/{path}", encoded=True)
    async with site.session.get(url, headers=HTML, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        login = urlsplit(response.headers["Location"])
    (then,) = parse_qs(login.query)["next"]
    form = urlsplit(then)
    wish = {name: values[0] for name, values in parse_qs(form.fragment).items()}
    return login.path, form.path, wish, parse_qs(form.query)["next"][0]


async def test_content_is_asked_for_in_the_form(site):
    async with site.open("v2/gh/org/repo/main?content=1&urlpath=lab") as response:
        asked = parse_qs(urlsplit(response.headers["Location"]).query)["next"][0]
    assert parse_qs(urlsplit(asked).fragment) == {
        "build": ["gh/org/repo/main"],
        "urlpath": ["lab"],
        "content": ["1"],
    }


@pytest.mark.parametrize(
    ("link", "build"),
    [
        ("gh/org/repo/main", "gh/org/repo/main"),
        ("gh/Org/Repo/feature/x", "gh/Org/Repo/feature/x"),
        ("GH/org/repo/main/", "gh/org/repo/main"),
        ("gh/org%2Frepo/main", "gh/org/repo/main"),
        ("gl/group%2Fsub%2Frepo/feature%2Fx", "gl/group%2Fsub%2Frepo/feature%2Fx"),
        (
            "git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo.git/main",
            "git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo.git/main",
        ),
        ("zenodo/10.5281/zenodo.3242074/", "zenodo/10.5281/zenodo.3242074"),
        ("gist/user/0a1b2c/HEAD", "gist/user/0a1b2c/HEAD"),
        ("gh/org/repo/v1%23%26build%3Dx", "gh/org/repo/v1%23%26build%3Dx"),
    ],
)
async def test_links_as_binder_has_them(site, link, build):
    login, form, wish, _ = await follow(site, link)
    assert (login, form, wish) == ("/hub/login", "/hub/spawn", {"build": build})
    assert site.builds.asked == []
    assert site.hub.asked == 0


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("urlpath=lab/tree/index.ipynb", "lab/tree/index.ipynb"),
        ("urlpath=%2Fproxy%2F8000%2F%3Fa%3Db%26c%23d", "/proxy/8000/?a=b&c#d"),
        ("labpath=a%20b/c%3F.ipynb", "lab/tree/a%20b/c%3F.ipynb"),
        ("filepath=/index.ipynb", "lab/tree/index.ipynb"),
        ("urlpath=&filepath=x.md", "lab/tree/x.md"),
        ("token=secret", None),
    ],
)
async def test_what_a_link_opens(site, query, path):
    _, _, wish, _ = await follow(site, f"gh/org/repo/main?{query}")
    assert wish == {"build": "gh/org/repo/main"} | ({"urlpath": path} if path else {})


async def test_who_has_a_server_comes_back_and_is_told(site):
    _, _, _, back = await follow(site, "gh/org/repo/main?labpath=x.ipynb")
    assert back == f"{PREFIX}v2/gh/org/repo/main?urlpath=lab%2Ftree%2Fx.ipynb&running=1"
    async with site.open(back.removeprefix(PREFIX)) as response:
        assert response.status == 200
        text = await response.text()
    assert "Your server is running" in text
    assert "<code>gh/org/repo/main</code>" in text
    assert 'href="/hub/user-redirect/"' in text
    assert f'href="{PREFIX}v2/gh/org/repo/main?urlpath=lab%2Ftree%2Fx.ipynb"' in text


@pytest.mark.parametrize(
    "link",
    [
        "",
        "gh",
        "gh/",
        "/evil.example/x",
        "%2F%2Fevil.example/x",
        "https:%2F%2Fevil.example/x",
        "gh/org/repo%0d%0aSet-Cookie:%20a=b/main",
        "gh/" + "x" * 3000,
        "gh/org/repo/main?urlpath=a%0ab",
        "git/https%3A%2F%2Fuser%3Apassword%40git.example.org%2Frepo/main",
    ],
)
async def test_what_is_no_link_is_a_page(site, link):
    url = URL(f"{site.url}v2/{link}", encoded=True)
    async with site.session.get(url, headers=HTML, allow_redirects=False) as response:
        text = await response.text()
        assert response.status == 400
        assert "Location" not in response.headers
        assert "Set-Cookie" not in response.headers
    assert "This link cannot be read" in text


@pytest.mark.parametrize(
    "link",
    [
        "gh/%2F%2Fevil.example/x",
        "gh/..%2F..%2Fevil/x",
        "git/https%3A%2F%2Fevil.example%2Frepo/main?urlpath=https://evil.example",
        "gh/org/repo/main?next=https://evil.example",
        "gh/%5C%5Cevil.example/x?running=0",
    ],
)
async def test_a_link_leads_nowhere_but_to_the_hub(site, link):
    url = URL(f"{site.url}v2/{link}", encoded=True)
    async with site.session.get(url, headers=HTML, allow_redirects=False) as response:
        if response.status == 302:
            assert response.headers["Location"].startswith(
                "/hub/login?next=%2Fhub%2Fspawn%3Fnext%3D%252F"
            )
        else:
            assert "evil.example" not in response.headers.get("Location", "")


def test_markup_in_a_link_is_text():
    assert link_parts("/v2/gh/o/r/%3Cb%3E", "/v2/") == ("gh", "o/r/%3Cb%3E")
    with pytest.raises(SpecInvalid, match="kind of repository"):
        link_parts("/v2/%3Cb%3E/o/r", "/v2/")


def test_a_hub_on_another_host():
    site = HubSite("https://hub.example.org/base/hub/", "https://hub.example.org")
    link = urlsplit(login_link(site, {"build": "gh/o/r/main"}, "/base/hub/home"))
    assert (link.netloc, link.path) == ("hub.example.org", "/base/hub/login")
    assert parse_qs(link.query)["next"] == [
        "/base/hub/spawn?next=%2Fbase%2Fhub%2Fhome#build=gh%2Fo%2Fr%2Fmain"
    ]


async def test_the_badge_is_a_picture_of_our_own(web):
    async with web.session.get(f"{web.url}badge.svg") as response:
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        assert response.headers["Cache-Control"] == "public, max-age=86400"
        drawing = ET.fromstring(await response.read())
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawing.find("{http://www.w3.org/2000/svg}title").text == "open in JupyterHub"
