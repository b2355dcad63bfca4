from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.host import HostProvider


class Other(HostProvider):
    pass


def test_options_are_set_for_all_or_for_one():
    config = Config()
    config.HostProvider.timeout = 7.0
    config.HostProvider.allowed_networks = ["10.0.0.0/8"]
    config.Other.timeout = 3.0
    assert HostProvider(config=config).timeout == 7
    assert Other(config=config).timeout == 3
    Other(config=config).door.check_literal("10.1.2.3")


@pytest.mark.parametrize("name", ["blocked_networks", "allowed_networks"])
def test_a_network_that_is_none_is_refused_at_start(name):
    with pytest.raises(TraitError, match=rf"Other\.{name}"):
        Other(**{name: ["10.0.0.0/99"]})


def test_private_networks_are_blocked_unless_allowed():
    for address in ("10.0.0.1", "172.20.0.1", "192.168.0.1", "100.64.1.1", "[fd00::1]"):
        with pytest.raises(SpecForbidden):
            HostProvider().door.check_literal(address)
    HostProvider(allowed_networks=["10.0.0.1"]).door.check_literal("10.0.0.1")


async def test_answers_are_remembered_until_it_is_closed():
    provider, asked = HostProvider(), []

    async def ask():
        asked.append(1)
        return len(asked)

    assert [await provider.remembered("a", ask) for _ in range(3)] == [1, 1, 1]
    assert await provider.remembered("b", ask) == 2
    await provider.close()


async def test_certificates_that_cannot_be_read(tmp_path):
    (tmp_path / "ca").write_text("none")
    for path in (tmp_path / "ca", tmp_path / "gone"):
        provider = HostProvider(ca_file=str(path), allowed_networks=["127.0.0.1"])
        with pytest.raises(ProviderUnavailable, match=r"HostProvider\.ca_file"):
            await provider.api("https://127.0.0.1:1").get("/")
        await provider.close()


async def test_apis_share_connections_and_closing_twice_is_fine():
    provider = HostProvider()
    one, two = provider.api("https://a.example"), provider.api("https://b.example")
    assert one._client is two._client
    await provider.close()
    await provider.close()
