from __future__ import annotations

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.builds.model import Ref, RefKind
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.mercurial import MercurialProvider
from tests.fakes.hosts.mercurial import NODES, MercurialStub


@pytest.fixture
async def server():
    async with MercurialStub().serve() as stub:
        provider = MercurialProvider(allowed_networks=["127.0.0.1"], timeout=10)
        yield stub, provider
        await provider.close()


async def resolve(server, ref, path="/org/repo"):
    stub, provider = server
    return (await provider.resolve(provider.from_url(f"hg+{stub.url}{path}", ref))).commit


@pytest.mark.parametrize("ref", list(NODES))
async def test_names(server, ref):
    assert await resolve(server, ref) == NODES[ref]


@pytest.mark.parametrize("name", ["@", "default", "tip"])
async def test_no_ref_is_what_a_clone_checks_out(server, name):
    server[0].nodes = {"tip": "f" * 40, name: "e" * 40}
    assert await resolve(server, None) == "e" * 40


async def test_an_empty_server_of_names(server):
    server[0].nodes = {}
    with pytest.raises(RefNotFound, match="no branch, bookmark, tag or commit HEAD"):
        await resolve(server, None)


async def test_a_whole_id_costs_no_question(server):
    assert await resolve(server, "A" * 40) == "a" * 40
    assert server[0].requests == []


async def test_a_server_that_is_not_mercurials(server):
    with pytest.raises(RefNotFound, match=r"The repository http://127\S+ does not exist"):
        await resolve(server, "tip", "/org/absent")
    server[0].answer = lambda: web.Response(text=f"1 {'a' * 40}\n", content_type="text/html")
    with pytest.raises(RefNotFound, match="no Mercurial repository"):
        await resolve(server, "tip")


@pytest.mark.parametrize(
    "ref", ["", " x", "-x", "a:b", "all()", "a\\b", "a\nb", "x" * 256, "\u202e"]
)
def test_refs_that_are_none(ref):
    with pytest.raises(SpecInvalid):
        MercurialProvider().from_url("hg+https://hg.example.org/repo", ref)


def test_which_addresses_are_its():
    provider = MercurialProvider()
    known = provider.from_url("https://hg.mozilla.org/mozilla-central", None)
    marked = provider.from_url("HG+https://hg.mozilla.org/mozilla-central/", None)
    assert known == marked
    assert known.repository == "https://hg.mozilla.org/mozilla-central"
    assert provider.from_url("https://hg.example.org/repo", None) is None
    assert provider.from_url("hg+ssh://hg.example.org/repo", None) is None
    with pytest.raises(SpecInvalid, match="'\\?'"):
        provider.from_url("hg+https://hg.example.org/repo?cmd=x", None)


@pytest.mark.parametrize("ref", ["default", "feature%2Fx", "feature/x", "a%20b"])
def test_specs(ref):
    provider = MercurialProvider()
    spec = provider.from_spec(f"https%3A%2F%2Fhg.example.org%2Frepo/{ref}")
    assert spec.repository == "https://hg.example.org/repo"
    assert provider.from_spec(spec.spec) == spec


async def test_branches(server):
    stub, provider = server
    spec = provider.from_url(f"hg+{stub.url}/org/repo", None)
    for _ in range(2):
        found = await provider.refs(spec)
        # git could not have the other one, and an address with it would not be understood
        assert found.refs == (Ref("default", RefKind.BRANCH, NODES["default"]),)
        assert found.default == "default"
    assert stub.requests == ["/org/repo?cmd=branchmap"]


async def test_branches_of_what_is_no_repository(server):
    stub, provider = server
    with pytest.raises(RefNotFound):
        await provider.refs(provider.from_url(f"hg+{stub.url}/org/absent", None))
    stub.answer = lambda: web.Response(text="default x\n", content_type="application/mercurial-0.1")
    with pytest.raises(ProviderUnavailable, match="not understood"):
        await provider.refs(provider.from_url(f"hg+{stub.url}/org/repo", None))
