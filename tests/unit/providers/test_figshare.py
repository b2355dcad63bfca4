from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.figshare import FigshareProvider
from tests.fakes.hosts.figshare import FigshareStub

ITEM = "https://figshare.com/articles/_/9782777"
DOI = "10.6084/m9.figshare.9782777"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (DOI, "HEAD"),
        (f"{DOI}.v2", "v2"),
        (f"https://doi.org/{DOI}.v2", "v2"),
        ("https://figshare.com/articles/binder_requirements/9782777", "HEAD"),
        ("https://figshare.com/articles/binder_requirements/9782777/2", "v2"),
        ("https://figshare.com/articles/dataset/binder_requirements/9782777", "HEAD"),
        ("https://figshare.com/articles/dataset/2019/9782777?file=17527454", "HEAD"),
        ("https://figshare.com/articles/software/2019/9782777/3", "v3"),
        ("https://figshare.com/articles/9782777", "HEAD"),
        ("https://figshare.com/account/articles/9782777", "HEAD"),
        ("https://api.figshare.com/v2/articles/9782777/versions/2", "v2"),
        ("https://kcl.figshare.com/articles/thesis/x/9782777/1", "v1"),
    ],
)
def test_what_people_paste(text, ref):
    provider = FigshareProvider()
    spec = provider.from_url(text, None)
    behind = "" if ref == "HEAD" else f".{ref}"
    assert (spec.repository, spec.ref, spec.spec) == (ITEM, ref, f"{DOI}{behind}")
    assert provider.from_spec(spec.spec) == spec
    assert provider.from_url(spec.repository, spec.ref) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://figshare.com/s/0123456789abcdef", "not published"),
        ("https://figshare.com/ndownloader/files/17527454", "not that of an item"),
        ("https://figshare.com/articles/dataset/x/y", "not that of an item"),
        ("https://figshare.com/articles/dataset/x/9782777/0", "not that of an item"),
        ("https://figshare.com/collections/x/9782777", "not that of an item"),
        (f"{DOI}.vx", "ends with a number"),
        ("https://figshare.com/articles/x/97827771234567", "not that of an item"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(SpecInvalid, match=words):
        FigshareProvider().from_url(text, None)


def test_another_version_than_the_address_names():
    provider = FigshareProvider()
    assert provider.from_url(ITEM, "v2") == provider.from_spec(f"{DOI}.v2")
    for ref in ("v3", "main", "v0"):
        with pytest.raises(SpecInvalid, match="no branches"):
            provider.from_url(f"{ITEM}/2", ref)


def test_a_doi_of_an_institution_names_no_item():
    with pytest.raises(SpecInvalid, match="address of the item's page"):
        FigshareProvider().from_spec("10.18742/12345")


async def test_versions():
    async with FigshareStub().serve() as stub:
        provider = FigshareProvider(allowed_networks=["127.0.0.1"], timeout=10)
        provider.api_url = stub.url
        newest = await provider.resolve(provider.from_spec(DOI))
        second = await provider.resolve(provider.from_spec(f"{DOI}.v2"))
        with pytest.raises(RefNotFound, match="Version 9 of the item 9782777 of figshare does not"):
            await provider.resolve(provider.from_spec(f"{DOI}.v9"))
        await provider.close()
    assert (newest.commit, second.commit) == ("9782777.v3", "9782777.v2")
    assert newest.date == 1568899321
    assert stub.requests[:2] == ["/articles/9782777", "/articles/9782777/versions/2"]
