from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.zenodo import ZenodoProvider
from tests.fakes.hosts.zenodo import ZenodoStub

RECORD = "https://zenodo.org/records/3242074"


@pytest.fixture
async def zenodo():
    async with ZenodoStub().serve() as stub:
        provider = ZenodoProvider(allowed_networks=["127.0.0.1"], timeout=10)
        provider.api_url = stub.url
        provider.api_urls = dict.fromkeys(provider.api_urls, f"{stub.url}/api/records/")
        yield stub, provider
        await provider.close()


@pytest.mark.parametrize(
    "text",
    [
        "10.5281/zenodo.3242074",
        "https://doi.org/10.5281/zenodo.3242074",
        "https://zenodo.org/record/3242074",
        "https://zenodo.org/records/3242074#.XQ",
        "http://www.zenodo.org/records/3242074",
        "https://zenodo.org/records/3242074/files/a.zip?download=1",
        "https://zenodo.org/records/3242074/preview/README.md",
        "https://zenodo.org/api/records/3242074",
        "https://zenodo.org/doi/10.5281/zenodo.3242074",
        "https://zenodo.org/badge/DOI/10.5281/zenodo.3242074.svg",
    ],
)
def test_what_people_paste(text):
    spec = ZenodoProvider().from_url(text, None)
    assert (spec.repository, spec.spec, spec.ref) == (RECORD, "10.5281/zenodo.3242074", "HEAD")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://zenodo.org/communities/x", "write https://zenodo.org/records/"),
        ("https://zenodo.org/badge/latestdoi/123", "write https://zenodo.org/records/"),
        ("https://zenodo.org/records/latest", "write https://zenodo.org/records/"),
        ("https://zenodo.org/records/..", "'..'"),
        ("https://zenodo.org/deposit/1", "not published"),
        ("https://zenodo.org/uploads/1", "not published"),
        ("10.5281/zenodo.x1", "ends with a number"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(SpecInvalid, match=words):
        ZenodoProvider().from_url(text, None)


def test_a_record_has_no_branches():
    with pytest.raises(SpecInvalid, match="no branches"):
        ZenodoProvider().from_url(RECORD, "main")


@pytest.mark.parametrize(
    ("text", "repository", "spec"),
    [
        (
            "10.5072/zenodo.7",
            "https://sandbox.zenodo.org/record/7",  # the only spelling that repo2docker takes
            "10.5072/zenodo.7",
        ),
        (
            "https://data.caltech.edu/records/abcde-12345",
            "https://data.caltech.edu/records/abcde-12345",
            "https%3A%2F%2Fdata.caltech.edu%2Frecords%2Fabcde-12345",
        ),
        ("10.22002/D1.1235", "https://doi.org/10.22002/D1.1235", "10.22002/D1.1235"),
    ],
)
def test_other_archives_of_its_kind(text, repository, spec):
    provider = ZenodoProvider()
    found = provider.from_url(text, None)
    assert (found.repository, found.spec) == (repository, spec)
    assert provider.from_spec(found.spec) == found


async def test_the_doi_of_all_versions_is_the_newest_record(zenodo):
    stub, provider = zenodo
    resolved = await provider.resolve(provider.from_spec("10.5281/zenodo.3242073"))
    assert (resolved.commit, resolved.title) == ("3242090", "Second version")
    assert resolved.date == 1560170466.520195
    assert stub.requests == ["/api/records/3242073", "/api/records/3242090"]


async def test_a_doi_without_a_number_is_looked_up(zenodo):
    stub, provider = zenodo
    stub.lead("10.22002/D1.1235", "https://data.caltech.edu/records/abcde-12345")
    resolved = await provider.resolve(provider.from_spec("10.22002/D1.1235"))
    assert resolved.commit == "abcde-12345"


@pytest.mark.parametrize(
    "page",
    [
        "https://example.org/records/3242074",
        "https://zenodo.org/communities/x",
        "https://zenodo.org.example.org/records/3242074",
        "https://zenodo.org/",
    ],
)
async def test_a_doi_of_another_archive(zenodo, page):
    stub, provider = zenodo
    stub.lead("10.1234/x", page)
    with pytest.raises(RefNotFound, match=r"The DOI 10\.1234/x leads to"):
        await provider.resolve(provider.from_spec("10.1234/x"))
