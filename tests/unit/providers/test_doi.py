from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.doi import (
    archive_of,
    doi_url,
    landing_page,
    quote_doi,
    read_doi,
)
from jupyterhub_imagebuilder.providers.host import HostProvider
from tests.fakes.hosts.doi import DoiStub, handle

DOI = "10.5281/zenodo.3242074"


@pytest.mark.parametrize(
    "text",
    [
        DOI,
        f"{DOI}.",
        f"doi:{DOI}",
        f"DOI: {DOI}",
        f"info:doi/{DOI}",
        f"doi.org/{DOI}",
        f"https://doi.org/{DOI}",
        f"http://dx.doi.org/{DOI}?x=1#top",
        f"https://www.doi.org/{DOI},",
        f"https://doi.org/doi:{DOI}",
        "https://doi.org/10.5281%2Fzenodo.3242074",
    ],
)
def test_every_spelling(text):
    assert read_doi(text) == DOI


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://zenodo.org/records/3242074",
        "10.0.0.1:5000/org/image",
        "10.100.200.1/org/image",
        "10.5281",
        "10.5281/",
        "org/repo",
        "doi",
        "https://doi.org.example.org/10.5281/zenodo.1",
        "https://evil.org/10.5281/zenodo.1",
    ],
)
def test_what_is_no_doi(text):
    assert read_doi(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "doi:10.5281/",
        "doi:10.5281/a b",
        "doi:10.5281/../x",
        "doi:10.5281/a\\b",
        "https://doi.org/10.5281/a%0Ab",
        "https://doi.org/10.5281/" + "a" * 300,
        "doi:10.12345678901/x",
    ],
)
def test_what_only_looks_like_one(text):
    with pytest.raises(SpecInvalid, match=r"as in 10\.5281"):
        read_doi(text)


@given(st.text())
def test_whatever_is_read_is_read_again_as_the_same(text):
    try:
        doi = read_doi(f"10.1234/{text}")
    except SpecInvalid:
        return
    if doi is not None:
        assert read_doi(doi) == doi
        assert read_doi(doi_url(doi)) == doi


def test_what_would_end_an_address_is_escaped():
    assert doi_url("10.1002/x<1>?a#b%") == "https://doi.org/10.1002/x%3C1%3E%3Fa%23b%25"
    assert read_doi(quote_doi("10.1002/(x):y;z")) == "10.1002/(x):y;z"


@pytest.mark.parametrize(
    ("doi", "archive"),
    [
        (DOI, "zenodo"),
        ("10.5072/Zenodo.1", "zenodo"),
        ("10.22002/D1.1235", "zenodo"),
        ("10.6084/M9.figshare.1", "figshare"),
        ("10.4211/hs.abc", "hydroshare"),
        ("10.7910/DVN/TJCLKP", None),
        ("10.5281/other", None),
    ],
)
def test_whose_it_is(doi, archive):
    assert archive_of(doi) == archive


@pytest.fixture
async def resolver():
    async with DoiStub().serve() as stub:
        provider = HostProvider(allowed_networks=["127.0.0.1"], timeout=10)
        yield stub, provider.api(stub.url)
        await provider.close()


async def test_where_it_leads(resolver):
    stub, api = resolver
    page = "https://dataverse.harvard.edu/citation?persistentId=doi:10.7910/DVN/TJCLKP"
    stub.lead("10.7910/DVN/TJCLKP", page)
    assert await landing_page(api, "10.7910/DVN/TJCLKP") == page
    with pytest.raises(RefNotFound, match=r"The DOI 10\.7910/DVN/X does not exist"):
        await landing_page(api, "10.7910/DVN/X")


@pytest.mark.parametrize(
    "values",
    [
        [],
        [{"type": "HS_ADMIN", "data": {"format": "admin", "value": {}}}],
    ],
)
async def test_one_that_leads_nowhere(resolver, values):
    stub, api = resolver
    stub.pages["/api/handles/10.1234/x?type=URL"] = {"responseCode": 1, "values": values}
    with pytest.raises(RefNotFound, match="leads to no page"):
        await landing_page(api, "10.1234/x")


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "https://me:secret@x.org/", "https://[", "//x", "", "https://x/\u0000"],
)
async def test_one_that_leads_to_no_web_page(resolver, target):
    stub, api = resolver
    stub.pages["/api/handles/10.1234/x?type=URL"] = handle("10.1234/x", target)
    with pytest.raises(ProviderUnavailable) as caught:
        await landing_page(api, "10.1234/x")
    assert "secret" not in str(caught.value)
