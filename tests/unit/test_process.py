from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.process import address_from_hub, parent_gone
from tests.unit.web.support import FakeClock, turns


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8586", ("127.0.0.1", 8586)),
        ("http://10.1.2.3:80/", ("10.1.2.3", 80)),
        ("http://[fd00::1]:8586", ("fd00::1", 8586)),
        ("http://hub", None),
        ("http://hub:x", None),
        ("", None),
    ],
)
def test_where_the_hub_expects_the_service(url, address):
    assert address_from_hub({"JUPYTERHUB_SERVICE_URL": url}) == address


def test_without_a_hub():
    assert address_from_hub({}) is None


async def test_the_end_of_the_parent_is_seen_within_a_second():
    clock, parent = FakeClock(), [7]
    gone = asyncio.create_task(parent_gone(clock, lambda: parent[0]))
    await turns()
    await clock.advance(60.0)
    assert not gone.done()
    parent[0] = 1
    await clock.advance(1.0)
    assert gone.done()
    await gone
