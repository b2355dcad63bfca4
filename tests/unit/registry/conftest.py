from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from tests.fakes.clock import InstantClock

from .stub import StubRegistry, config_json


@pytest.fixture
def clock():
    return InstantClock()


@pytest.fixture
async def start_stub():
    stubs = []

    async def start(login=None, **server):
        stub = StubRegistry(login)
        stubs.append(stub)
        await stub.start(**server)
        return stub

    yield start
    for stub in stubs:
        await stub.stop()


@pytest.fixture
async def make_client(clock):
    """A client of a stub, by default with the right password."""
    clients = []

    def make(stub, config="right", **traits):
        data = config_json(stub.host) if config == "right" else config

        async def read():
            return data

        traits = {"host": stub.host, "insecure": True, "clock": clock, **traits}
        if "credentials_file" not in traits:
            traits.setdefault("read_credentials", read)
        client = DistributionRegistry(**traits)
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()
