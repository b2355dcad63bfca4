from __future__ import annotations

from urllib.parse import quote

import pytest

from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.ckan import CKANProvider
from tests.fakes.hosts.ckan import ACTIVITY, NAME, CKANStub

DATASET = f"https://demo.ckan.org/dataset/{NAME}"


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        (DATASET, DATASET),
        (f"{DATASET}/", DATASET),
        (f"{DATASET}/resource/1/download/a.csv", DATASET),
        (f"https://demo.ckan.org/dataset/activity/{NAME}", DATASET),
        (
            f"https://demo.ckan.org/en/dataset/{NAME}?q=x",
            f"https://demo.ckan.org/en/dataset/{NAME}",
        ),
        (f"{DATASET}?activity_id={ACTIVITY}", f"{DATASET}?activity_id={ACTIVITY}"),
        (f"{DATASET}/history/{ACTIVITY}", f"{DATASET}?activity_id={ACTIVITY}"),
    ],
)
def test_what_people_paste(text, repository):
    provider = CKANProvider()
    spec = provider.from_url(text, None)
    assert (spec.repository, spec.ref) == (repository, "HEAD")
    assert provider.from_spec(spec.spec) == spec
    assert provider.from_spec(quote(text, safe="")) == spec


@pytest.mark.parametrize(
    "text",
    [
        "https://demo.ckan.org/organization/x",
        "https://demo.ckan.org/dataset/",
        "https://demo.ckan.org/dataset/x.y",
        "https://demo.ckan.org/dataset/--config",
        f"https://demo.ckan.org/dataset/dataset/{NAME}",
        f"{DATASET}?activity_id=../x",
    ],
)
def test_what_is_refused(text):
    with pytest.raises(SpecInvalid):
        CKANProvider().from_url(text, None)


def test_any_host_in_a_spec_and_known_ones_in_an_address():
    provider = CKANProvider(hosts=["Data.Example.org"])
    assert provider.from_url("https://data.example.org/dataset/x1", None) is not None
    assert provider.from_url("https://git.example.org/dataset/x1", None) is None
    spec = provider.from_spec("http%3A%2F%2Fdataset%3A8080%2Fdataset%2Fx1")
    assert spec.repository == "http://dataset:8080/dataset/x1"
    with pytest.raises(SpecInvalid):
        provider.from_spec("file%3A%2F%2F%2Fdataset%2Fx1")


async def test_a_portal_below_a_path_and_its_history():
    async with CKANStub(prefix="/portal").serve() as stub:
        provider = CKANProvider(allowed_networks=["127.0.0.1"], timeout=10)
        dataset = f"{stub.url}/portal/dataset/{NAME}"
        newest = await provider.resolve(provider.from_spec(quote(dataset, safe="")))
        named = await provider.resolve(
            provider.from_spec(quote(f"{dataset}?activity_id={ACTIVITY}", safe=""))
        )
        with pytest.raises(RefNotFound, match="The dataset none of 127"):
            await provider.resolve(
                provider.from_spec(quote(f"{stub.url}/portal/dataset/none", safe=""))
            )
        await provider.close()
    assert (newest.commit, newest.date) == (f"{NAME}.v1709049423", 1709049423)
    assert (named.commit, named.date) == (ACTIVITY, None)
