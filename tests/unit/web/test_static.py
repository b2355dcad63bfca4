from __future__ import annotations

import gzip
import json
import os

import pytest

from jupyterhub_imagebuilder.errors import ServiceUnavailable
from jupyterhub_imagebuilder.web.static import FOLDER, FrontEnd


async def get(web, path, headers=None, method="GET"):
    headers = {"Accept-Encoding": "identity"} | (headers or {})
    async with web.session.request(
        method, web.url + path, headers=headers, allow_redirects=False, auto_decompress=False
    ) as response:
        return response.status, response.headers, await response.read()


async def test_a_hashed_file_is_kept_for_ever(site):
    status, headers, body = await get(site, "static/form-0a1b2c3d.js")
    assert (status, body) == (200, ("export const form = 'ä';" * 100).encode())
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in headers
    _, headers, _ = await get(site, "static/pages-8c9d0e1f.css")
    assert headers["Content-Type"] == "text/css; charset=utf-8"


async def test_pages_of_a_hub_on_another_host_may_load_it(site):
    for path in ("static/form.js", "static/form-0a1b2c3d.js", "badge.svg"):
        _, headers, _ = await get(site, path, {"Origin": "https://hub.example.org"})
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_the_form_is_found_under_one_name(site):
    status, headers, _ = await get(site, "static/form.js")
    assert status == 302
    assert headers["Location"] == "/services/imagebuilder/static/form-0a1b2c3d.js"
    assert headers["Cache-Control"] == "no-cache"


async def test_it_is_compressed_for_who_can_read_that(site):
    _, plain, body = await get(site, "static/form-0a1b2c3d.js")
    status, headers, packed = await get(
        site, "static/form-0a1b2c3d.js", {"Accept-Encoding": "gzip, br"}
    )
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 2
    assert plain["Vary"] == headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain


async def test_asked_for_the_head(site):
    status, headers, body = await get(site, "static/form-0a1b2c3d.js", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "name",
    [
        "secret.txt",
        "manifest.json",
        "..%2Fstatic%2Fform-0a1b2c3d.js",
        "..%2F..%2Fapp.py",
        "%2Fetc%2Fpasswd",
        "form-0a1b2c3d.js%00",
        "absent-0a1b2c3d.js",
        "",
        "a/b.js",
    ],
)
async def test_what_the_manifest_does_not_name_is_not_there(site, name):
    from yarl import URL

    url = URL(f"{site.url}static/{name}", encoded=True)
    async with site.session.get(url) as response:
        assert response.status == 404
        assert (await response.json())["message"] == "There is nothing at this address."


async def test_a_manifest_cannot_lead_out_of_the_folder_by_what_is_asked(site, built):
    (built.parent / "outside.js").write_text("secret")
    status, _, _ = await get(site, "static/..%2Foutside.js")
    assert status == 404


async def test_a_front_end_that_is_not_there_is_said(site, built):
    (built / "manifest.json").unlink()
    for name in ("form.js", "form-0a1b2c3d.js"):
        status, headers, body = await get(site, f"static/{name}")
        assert status == 404
        assert "make frontend" in json.loads(body)["message"]
        assert "Location" not in headers


async def test_a_new_front_end_is_found_without_a_restart(site, built):
    await get(site, "static/form-0a1b2c3d.js")
    (built / "form-99999999.js").write_text("new")
    manifest = built / "manifest.json"
    manifest.write_text(json.dumps({"src/form/main.tsx": {"file": "form-99999999.js"}}))
    os.utime(manifest, ns=(1, 1))
    _, headers, _ = await get(site, "static/form.js")
    assert headers["Location"].endswith("/form-99999999.js")
    assert (await get(site, "static/form-99999999.js"))[2] == b"new"
    assert (await get(site, "static/form-0a1b2c3d.js"))[0] == 404


@pytest.mark.parametrize("manifest", ["{", "[]", '{"src/form/main.tsx": 5}', "{}"])
def test_a_broken_manifest_is_no_front_end(built, manifest):
    (built / "manifest.json").write_text(manifest)
    with pytest.raises(ServiceUnavailable):
        FrontEnd(built).entry("form")


def test_it_is_looked_for_where_it_is_installed():
    assert (FOLDER.name, FOLDER.parent.name) == ("static", "jupyterhub_imagebuilder")
