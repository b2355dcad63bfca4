from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import SpecForbidden
from jupyterhub_imagebuilder.providers.address import read_address
from jupyterhub_imagebuilder.providers.networks import (
    DEFAULT_BLOCKED,
    has_proxy,
    host_addresses,
    is_blocked,
    read_networks,
)

BLOCKED = read_networks(DEFAULT_BLOCKED)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "169.254.169.254",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_addresses_of_this_machine_and_of_clouds(address):
    assert is_blocked(address, BLOCKED)


@pytest.mark.parametrize(
    "address", ["10.85.0.1", "192.168.1.1", "140.82.121.3", "fd00::1", "2001:db8::1"]
)
def test_campus_and_public_addresses_pass(address):
    assert not is_blocked(address, BLOCKED)


@pytest.mark.parametrize(
    "url",
    [
        "git://127.0.0.1/x",
        "git://127.1/x",
        "git://2130706433/x",
        "git://0x7f.1/x",
        "git://[::1]/x",
        "git://[::ffff:7f00:1]/x",
        "https://169.254.169.254/x",
        "git://0/x",
    ],
)
async def test_every_spelling_of_a_blocked_address_is_seen(url):
    address = read_address(url)
    with pytest.raises(SpecForbidden, match="is blocked"):
        await host_addresses(address, BLOCKED)


async def test_an_address_that_is_not_blocked_is_returned():
    assert await host_addresses(read_address("git://127.0.0.1/x"), []) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://a.example/x", True), ("https://b.local/x", False), ("git://a.example/x", False)],
)
def test_a_proxy_is_for_https_and_not_for_what_it_leaves_out(monkeypatch, url, expected):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", ".local")
    assert has_proxy(read_address(url)) is expected
