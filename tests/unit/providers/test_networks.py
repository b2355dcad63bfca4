from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.providers.address import read_address
from jupyterhub_imagebuilder.providers.networks import (
    DEFAULT_BLOCKED,
    has_proxy,
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
        "168.63.129.16",
        "10.85.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "fd00::1",
        "::127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "fec0::1",
    ],
)
def test_addresses_of_this_machine_of_clusters_and_of_clouds(address):
    assert is_blocked(address, BLOCKED)


@pytest.mark.parametrize(
    "address", ["140.82.121.3", "2001:db8::1", "2a00:1450::1", "172.32.0.1", "100.128.0.1"]
)
def test_public_addresses_pass(address):
    assert not is_blocked(address, BLOCKED)


def test_exceptions_hold_for_every_spelling():
    allowed = read_networks(["10.85.0.1"])
    for address in ("10.85.0.1", "::ffff:10.85.0.1", "64:ff9b::a55:1"):
        assert not is_blocked(address, BLOCKED, allowed)
    for address in ("10.85.0.2", "127.0.0.1", "::ffff:127.0.0.1"):
        assert is_blocked(address, BLOCKED, allowed)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://a.example/x", True), ("https://b.local/x", False), ("git://a.example/x", False)],
)
def test_a_proxy_is_for_https_and_not_for_what_it_leaves_out(monkeypatch, url, expected):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", ".local")
    assert has_proxy(read_address(url)) is expected
