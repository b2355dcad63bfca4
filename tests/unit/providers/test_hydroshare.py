from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.hydroshare import HydroShareProvider
from tests.fakes.hosts.hydroshare import RESOURCE, HydroShareStub

URL = f"https://www.hydroshare.org/resource/{RESOURCE}"


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"http://hydroshare.org/resource/{RESOURCE.upper()}/",
        f"{URL}/data/contents/notebook.ipynb",
        f"https://www.hydroshare.org/hsapi/resource/{RESOURCE}/",
        f"https://www.hydroshare.org/django_s3/download/bags/{RESOURCE}.zip",
        f"https://doi.org/10.4211/hs.{RESOURCE}",
    ],
)
def test_what_people_paste(text):
    spec = HydroShareProvider().from_url(text, None)
    assert (spec.repository, spec.spec) == (URL, RESOURCE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://www.hydroshare.org/group/1", "write https://www.hydroshare.org/resource/"),
        (f"https://www.hydroshare.org/user/{RESOURCE}", "not that of a resource"),
        (f"https://www.hydroshare.org/resource/{RESOURCE}0", "not that of a resource"),
        ("10.4211/hs.123", "resource's id"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(SpecInvalid, match=words):
        HydroShareProvider().from_url(text, None)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2019-09-25T16:09:17.006152Z", 1569427757),
        ("2019-09-25T16:09:17Z", 1569427757),
        # repo2docker leaves the zone out, too, and compares
        ("2019-09-25T16:09:17.006152-06:00", 1569427757),
    ],
)
async def test_the_time_of_the_last_change_is_a_part_of_the_id(time, seconds):
    async with HydroShareStub().serve() as stub:
        stub.changed(time)
        provider = HydroShareProvider(allowed_networks=["127.0.0.1"], timeout=10)
        provider.api_url = stub.url
        resolved = await provider.resolve(provider.from_spec(RESOURCE))
        await provider.close()
    assert (resolved.commit, resolved.date) == (f"{RESOURCE}.v{seconds}", seconds)
