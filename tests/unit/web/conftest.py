from __future__ import annotations

import json

import pytest

from jupyterhub_imagebuilder.web.static import FrontEnd
from tests.unit.web import answers, browsing, support


@pytest.fixture
async def web():
    async for server in support.running():
        ask = server.json

        async def json(method, path, ask=ask, **kwargs):
            status, document = await ask(method, path, **kwargs)
            answers.check(method, path, status, document)
            return status, document

        server.json = json
        yield server


@pytest.fixture
def built(tmp_path):
    """A folder as Vite leaves it."""
    folder = tmp_path / "static"
    folder.mkdir()
    manifest = {
        "src/form/main.tsx": {"file": "form-0a1b2c3d.js", "isEntry": True},
        "src/pages/main.tsx": {"file": "pages-4e5f6a7b.js", "css": ["pages-8c9d0e1f.css"]},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "form-0a1b2c3d.js").write_text("export const form = 'ä';" * 100)
    (folder / "pages-4e5f6a7b.js").write_text("export {}")
    (folder / "pages-8c9d0e1f.css").write_text("p { color: red }")
    (folder / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
async def site(monkeypatch, built):
    """The service beside a hub, with a front end, and a browser."""
    async for each in browsing.browsing(monkeypatch, FrontEnd(built)):
        yield each
