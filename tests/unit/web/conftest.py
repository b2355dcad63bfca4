from __future__ import annotations

import pytest

from tests.unit.web import answers, support


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
