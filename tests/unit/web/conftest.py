from __future__ import annotations

import pytest

from tests.unit.web import support


@pytest.fixture
async def web():
    async for server in support.running():
        yield server
