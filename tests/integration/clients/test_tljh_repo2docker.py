"""What tljh-repo2docker sends: any type accepted, every repository escaped as a whole."""

from __future__ import annotations

import json

import aiohttp
import pytest
from yarl import URL

from tests.integration.service.conftest import DIGEST

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.parametrize(
    ("spec", "begins"),
    [
        ("git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo/main", "https://git.example.org/"),
        ("git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo/a/b", "https://git.example.org/"),
        (f"gh/org%2Frepo/{COMMIT}", "https://github.com/org/repo"),
    ],
)
async def test_its_request(service, go, begun, spec, begins):
    go()
    url = URL(f"{service.url}build/{spec}?build_only=true", encoded=True)
    headers = {"Authorization": "Bearer ci-token", "Accept": "*/*"}
    log, last = "", {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers) as response,
    ):
        assert response.status == 200
        async for line in response.content:
            if line.startswith(b"data:"):
                last = json.loads(line.split(b":", 1)[1])
                log += last.get("message", "")
    assert last["phase"] == "ready", service.log
    assert last["imageName"].endswith(DIGEST)
    assert "Step 4/4\n" in log
    assert [line.startswith(begins) for line in begun()] == [True]
