"""What only a real registry can tell: its TLS, its pages, every way to give it a password."""

from __future__ import annotations

import json
import stat
import sys

import pytest

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry import api
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from tests.fakes.clock import InstantClock

from .worlds import RealWorld

pytestmark = pytest.mark.cluster


@pytest.fixture
async def world():
    world = RealWorld()
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def make(world):
    clients = []

    def make(**traits):
        traits = {"ca_file": world.ca_file, **traits}
        clients.append(DistributionRegistry(host=world.host, clock=InstantClock(), **traits))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


async def test_all_tags_of_a_repository(world, monkeypatch):
    monkeypatch.setattr(api, "_PAGE", 2)
    for number in range(2, 7):
        await world.same_again(str(number))
    tags = await world.registry()._api._tags(world.image)
    assert sorted(tags) == [str(n) for n in range(1, 7)]


async def test_image_whose_tags_cannot_be_deleted_alone(world, monkeypatch):
    client = world.registry()
    other = await world.same_again("2")
    real = client._api._delete

    async def by_digest_only(image, reference):
        return reference != image.tag and await real(image, reference)

    monkeypatch.setattr(client._api, "_delete", by_digest_only)
    with pytest.raises(RegistryDenied, match="its other tag 2"):
        await client.remove(world.image)
    assert await client.digest(world.image) == await client.digest(other) == world.digest


async def test_ca_that_is_not_trusted(make):
    with pytest.raises(RegistryUnavailable, match="does not trust the certificate"):
        await make(ca_file="").check()


async def test_plain_http_to_a_port_with_tls(make):
    with pytest.raises(RegistryUnavailable, match="does not behave like one"):
        await make(insecure=True).check()


async def test_no_credentials(make):
    with pytest.raises(RegistryDenied, match="asks for a password"):
        await make().check()


async def test_password_in_a_file_of_its_own(world, make, tmp_path):
    path = tmp_path / "password"
    path.write_text(f"{world.password}\n")
    client = make(username=world.username, password_file=str(path))
    assert await client.digest(world.image) == world.digest


async def test_credential_helper(world, make, tmp_path, monkeypatch):
    said = json.dumps({"Username": world.username, "Secret": world.password})
    helper = tmp_path / "docker-credential-cluster"
    helper.write_text(f"#!{sys.executable} -IS\nprint({said!r})\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {world.host: "cluster"}}))
    assert await make(credentials_file=str(config)).digest(world.image) == world.digest
