from __future__ import annotations

import asyncio

import pytest
from traitlets import TraitError

from jupyterhub_imagebuilder.builds.parse import parse
from jupyterhub_imagebuilder.errors import ImageBuilderError, ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.address import read_address
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.githost import pinned


@pytest.mark.parametrize("protocol", ["ssh", "file", "ext", ""])
def test_protocols_that_run_programs_or_read_disks_cannot_be_allowed(protocol):
    with pytest.raises(TraitError):
        GitProvider(allowed_protocols=["https", protocol])


def test_a_network_that_is_none_is_refused_at_start():
    with pytest.raises(TraitError, match="blocked_networks"):
        GitProvider(blocked_networks=["10.0.0.0/99"])
    with pytest.raises(TraitError, match="allowed_networks"):
        GitProvider(allowed_networks=["10"])


async def test_blocked_addresses_are_not_connected_to():
    provider = GitProvider()
    spec = parse("git://127.1/x", [provider])
    with pytest.raises(SpecForbidden, match="address is blocked"):
        await provider.resolve(spec)


async def test_without_git_the_sentence_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    provider = GitProvider(blocked_networks=[])
    with pytest.raises(ProviderUnavailable, match="program git is not installed"):
        await provider.resolve(parse("git://127.0.0.1/x", [provider]))


async def test_a_host_that_says_nothing_is_given_up():
    done = asyncio.Event()

    async def silent(reader, writer):
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = GitProvider(blocked_networks=[], timeout=0.2)
    with pytest.raises(ProviderUnavailable, match=r"127\.0\.0\.1 does not answer within 0\.2 sec"):
        await provider.resolve(parse(f"git://127.0.0.1:{port}/x", [provider]))
    done.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("url", "addresses", "setting"),
    [
        (
            "https://git.example.org/x",
            ["192.0.2.1", "2001:db8::1"],
            ["http.curloptResolve=git.example.org:443:192.0.2.1,[2001:db8::1]"],
        ),
        (
            "https://a.example:8443/x",
            ["192.0.2.1"],
            ["http.curloptResolve=a.example:8443:192.0.2.1"],
        ),
        ("git://git.example.org/x", ["192.0.2.1"], []),
        ("https://[2001:db8::1]/x", ["2001:db8::1"], []),
        ("https://git.example.org/x", [], []),
    ],
)
def test_git_connects_to_the_address_that_was_checked(monkeypatch, url, addresses, setting):
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    assert pinned(read_address(url), addresses) == setting


@pytest.mark.parametrize(("version", "fits"), [("2.36.6", False), ("2.37.0", True), ("x", False)])
async def test_a_git_that_cannot_be_pinned_is_not_used(tmp_path, monkeypatch, version, fits):
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\necho "git version {version}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    provider = GitProvider(allowed_networks=["127.0.0.1", "::1"])
    words = "no branch, tag or commit" if fits else "older than 2.37"
    spec = parse("https://localhost/x@main", [provider])
    with pytest.raises(ImageBuilderError, match=words):
        await provider.resolve(spec)
