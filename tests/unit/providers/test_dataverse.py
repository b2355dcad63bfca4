from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.dataverse import DataverseProvider
from tests.fakes.hosts.dataverse import DATASET, FILE, DataverseStub

HOST = "https://dataverse.example.org"
PAGE = f"{HOST}/dataset.xhtml?persistentId={DATASET}"
DOI = "10.7910/DVN/TJCLKP"


@pytest.fixture
async def dataverse():
    async with DataverseStub().serve() as stub:
        provider = DataverseProvider(allowed_networks=["127.0.0.1"], timeout=10)
        provider.api_url = stub.url
        yield stub, provider
        await provider.close()


@pytest.mark.parametrize(
    ("text", "repository", "ref"),
    [
        (f"https://doi.org/{DOI}", f"https://doi.org/{DOI}", "HEAD"),
        (DOI, f"https://doi.org/{DOI}", "HEAD"),
        (PAGE, PAGE, "HEAD"),
        (PAGE.replace(":10", "%3A10").replace("DVN/", "DVN%2F"), PAGE, "HEAD"),
        (f"{PAGE}&version=1.0#x", PAGE, "v1.0"),
        (f"{PAGE}&version=3", PAGE, "v3.0"),
        (f"{PAGE}&version=:latest", PAGE, "HEAD"),
        (
            f"{HOST}/citation?persistentId={DATASET}",
            PAGE.replace("dataset.xhtml", "citation"),
            "HEAD",
        ),
        (
            f"{HOST}/file.xhtml?persistentId={FILE}&version=2.1",
            f"{HOST}/file.xhtml?persistentId={FILE}",
            "v2.1",
        ),
        (f"{HOST}/file.xhtml?fileId=33&version=2.1", f"{HOST}/api/access/datafile/33", "v2.1"),
        (
            f"{HOST}/api/access/datafile/33?format=original",
            f"{HOST}/api/access/datafile/33",
            "HEAD",
        ),
        (
            f"{HOST}/api/access/datafile/:persistentId?persistentId={FILE}",
            f"{HOST}/file.xhtml?persistentId={FILE}",
            "HEAD",
        ),
        (
            f"{HOST}/dataset.xhtml?persistentId=hdl:1902.1/X-1",
            f"{HOST}/dataset.xhtml?persistentId=hdl:1902.1/X-1",
            "HEAD",
        ),
        (
            "http://dataset.xhtml/dataset.xhtml?persistentId=10.7910/x",
            "http://dataset.xhtml/dataset.xhtml?persistentId=doi:10.7910/x",
            "HEAD",
        ),
    ],
)
def test_what_people_paste(text, repository, ref):
    provider = DataverseProvider()
    spec = provider.from_url(text, None)
    assert (spec.repository, spec.ref) == (repository, ref)
    assert provider.from_spec(spec.spec) == spec
    assert provider.from_url(spec.repository, spec.ref) == spec


@given(
    st.text("aZ0-._/?#%&=@+~<>:;()é", min_size=1, max_size=30),
    st.sampled_from(["10.7910/", "doi:10.7910/", "https://doi.org/10.7910/"]),
    st.sampled_from([None, "v1.0"]),
)
def test_whatever_a_doi_holds_it_is_read_again_as_the_same(text, start, ref):
    provider = DataverseProvider()
    try:
        spec = provider.from_url(f"{start}{text}", ref)
    except SpecInvalid:
        return
    if spec is not None:
        assert provider.from_spec(spec.spec) == spec
        assert provider.from_url(spec.repository, spec.ref) == spec


def test_what_looks_like_a_version_can_be_a_part_of_a_doi():
    spec = DataverseProvider().from_spec("10.7910/x%3Fversion=1.0")
    assert (spec.repository, spec.ref) == ("https://doi.org/10.7910/x%3Fversion=1.0", "HEAD")


def test_the_spec_of_a_doi_is_binderhubs():
    provider = DataverseProvider()
    assert provider.from_url(f"doi:{DOI}", None).spec == DOI
    versioned = provider.from_url(f"https://doi.org/{DOI}", "v1.0")
    assert versioned.ref == "v1.0"
    assert provider.from_spec(versioned.spec) == versioned


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HOST}/dataset.xhtml", "names no dataset"),
        (f"{HOST}/dataset.xhtml?id=12", "names no dataset"),
        (f"{HOST}/dataset.xhtml?persistentId=file:../x", "names no dataset"),
        (f"{HOST}/dataset.xhtml?persistentId=doi:10.7910/../x", "no DOI"),
        (f"{HOST}/api/access/datafile/x", "names no dataset"),
        (f"{PAGE}&version=DRAFT", "published"),
        (f"{PAGE}&version=:draft", "published"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(SpecInvalid, match=words):
        DataverseProvider().from_url(text, None)


def test_leaves_other_archives_and_other_pages():
    provider = DataverseProvider()
    for text in (
        "10.5281/zenodo.1",
        "10.6084/m9.figshare.1",
        f"10.4211/hs.{'a' * 32}",
        f"{HOST}/dataset",
        f"{HOST}/dataverse/x",
    ):
        assert provider.from_url(text, None) is None


def test_a_dataset_has_no_branches():
    with pytest.raises(SpecInvalid, match="no branches"):
        DataverseProvider().from_url(PAGE, "main")
    with pytest.raises(SpecInvalid, match="no branches"):
        DataverseProvider().from_url(f"{PAGE}&version=1.0", "v2.0")


@pytest.mark.parametrize("page", ["dataset.xhtml?persistentId=", "citation?persistentId="])
async def test_a_doi_is_looked_up_at_the_host_to_which_it_leads(dataverse, page):
    stub, provider = dataverse
    stub.lead(DOI, f"{stub.url}/{page}{DATASET}")
    resolved = await provider.resolve(provider.from_spec(DOI))
    assert (resolved.commit, resolved.title) == ("v2.1", "Open Source at Harvard")
    assert resolved.date == 1553722907
    assert stub.requests[0] == f"/api/handles/{DOI}?type=URL"


async def test_a_file_means_its_dataset(dataverse):
    stub, provider = dataverse
    file = FILE.removeprefix("doi:")
    stub.lead(file, f"{stub.url}/citation?persistentId={FILE}")
    for text in (
        file,
        f"{stub.url}/file.xhtml?persistentId={FILE}",
        f"{stub.url}/api/access/datafile/2",
    ):
        assert (await provider.resolve(provider.from_url(text, None))).commit == "v2.1"


async def test_an_older_version(dataverse):
    stub, provider = dataverse
    page = f"{stub.url}/dataset.xhtml?persistentId={DATASET}"
    assert (await provider.resolve(provider.from_url(page, "1.0"))).commit == "v1.0"
    with pytest.raises(RefNotFound, match="A published version of the dataset doi:10"):
        await provider.resolve(provider.from_url(page, "v9.0"))


@pytest.mark.parametrize(
    "target", ["https://example.org/x", "{url}/dataset.xhtml", "{url}/dataverse/x", "{url}/"]
)
async def test_a_doi_that_leads_elsewhere(dataverse, target):
    stub, provider = dataverse
    stub.lead("10.1234/x", target.replace("{url}", stub.url))
    with pytest.raises(RefNotFound, match=r"The DOI 10\.1234/x leads to"):
        await provider.resolve(provider.from_spec("10.1234/x"))


async def test_a_file_whose_dataset_is_no_dataset(dataverse):
    stub, provider = dataverse
    stub.pages["/api/files/2?returnDatasetVersion=true"] = {
        "data": {"datasetVersion": {"datasetPersistentId": "../../x?y"}}
    }
    with pytest.raises(ProviderUnavailable, match="not understood"):
        await provider.resolve(provider.from_url(f"{stub.url}/api/access/datafile/2", None))
