from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.swh import SoftwareHeritageProvider
from tests.fakes.hosts.swh import RELEASE, REVISION, SoftwareHeritageStub

SWHID = f"swh:1:rev:{REVISION}"


@pytest.mark.parametrize(
    "text",
    [
        SWHID,
        SWHID.upper(),
        f"{SWHID};origin=https://github.com/org/repo;visit=swh:1:snp:{'0' * 40}",
        f"https://archive.softwareheritage.org/{SWHID}",
        f"https://archive.softwareheritage.org/{SWHID};origin=https://github.com/org/repo/",
        f"https://archive.softwareheritage.org/browse/{SWHID}/",
        f"https://archive.softwareheritage.org/browse/revision/{REVISION}/?path=x",
    ],
)
async def test_a_revision_is_known_without_a_question(text):
    provider = SoftwareHeritageProvider(blocked_networks=["0.0.0.0/0", "::/0"])
    spec = provider.from_url(text, None)
    assert spec.repository == f"https://archive.softwareheritage.org/{SWHID}"
    assert spec.spec == SWHID
    assert (await provider.resolve(spec)).commit == SWHID


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"swh:1:snp:{'0' * 40}", "no single version"),
        (f"swh:1:ori:{'0' * 40}", "no single version"),
        (f"swh:1:cnt:{'0' * 40}", "no single version"),
        (f"swh:2:rev:{'0' * 40}", "no identifier"),
        ("swh:1:rev:123", "no identifier"),
        ("https://archive.softwareheritage.org/browse/origin/?origin_url=x", "Permalinks"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(SpecInvalid, match=words):
        SoftwareHeritageProvider().from_url(text, None)


@pytest.mark.parametrize(
    ("kind", "expected"), [("revision", "rev"), ("directory", "dir"), ("content", None)]
)
async def test_a_release_is_what_it_names(kind, expected):
    async with SoftwareHeritageStub().serve() as stub:
        stub.pages[f"/release/{RELEASE}/"] |= {"target_type": kind}
        provider = SoftwareHeritageProvider(allowed_networks=["127.0.0.1"], timeout=10)
        provider.api_url = stub.url
        spec = provider.from_spec(f"swh:1:rel:{RELEASE}")
        if expected is None:
            with pytest.raises(RefNotFound, match="names no revision"):
                await provider.resolve(spec)
        else:
            resolved = await provider.resolve(spec)
            assert resolved.commit == f"swh:1:{expected}:{REVISION}"
            assert resolved.date == 1459434830
        await provider.close()
