"""What every provider does whose repositories are not git's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterhub_imagebuilder.builds.model import Refs
from jupyterhub_imagebuilder.errors import (
    ImageBuilderError,
    ProviderUnavailable,
    RefNotFound,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.providers.ckan import CKANProvider
from jupyterhub_imagebuilder.providers.dataverse import DataverseProvider
from jupyterhub_imagebuilder.providers.figshare import FigshareProvider
from jupyterhub_imagebuilder.providers.hydroshare import HydroShareProvider
from jupyterhub_imagebuilder.providers.mercurial import MercurialProvider
from jupyterhub_imagebuilder.providers.swh import SoftwareHeritageProvider
from jupyterhub_imagebuilder.providers.zenodo import ZenodoProvider
from tests.fakes.hosts import ckan, dataverse, figshare, hydroshare, mercurial, swh, zenodo
from tests.fakes.hosts.archive import ArchiveStub


class Kind(NamedTuple):
    """A provider, and how its repositories are written; ``{url}`` is the stub's address."""

    stub: Callable[[], ArchiveStub]
    provider: Callable[..., object]
    specs: list[str]  #: all of one repository; the first is the canonical one
    absent: str
    commit: str
    title: str | None = None


def at_zenodo(url: str, **settings):
    made = ZenodoProvider(**settings)
    made.api_url = url
    made.api_urls = dict.fromkeys(made.api_urls, f"{url}/api/records/")
    return made


def at(kind: type) -> Callable[..., object]:
    def make(url: str, **settings):
        made = kind(**settings)
        made.api_url = url
        return made

    return make


def of(kind: type) -> Callable[..., object]:
    return lambda url, **settings: kind(hosts=["127.0.0.1"], **settings)


DATASET = "{url}/dataset.xhtml?persistentId=doi:10.7910/DVN/TJCLKP"
KINDS = {
    "zenodo": Kind(
        zenodo.ZenodoStub,
        at_zenodo,
        ["10.5281/zenodo.3242074", "10.5281%2Fzenodo.3242074", "https://zenodo.org/record/3242074"],
        "10.5281/zenodo.1",
        "3242074",
        "binder-examples/requirements",
    ),
    "figshare": Kind(
        figshare.FigshareStub,
        at(FigshareProvider),
        ["10.6084/m9.figshare.9782777", "doi:10.6084/M9.FIGSHARE.9782777"],
        "10.6084/m9.figshare.1",
        "9782777.v3",
        "binder-examples/requirements",
    ),
    "dataverse": Kind(
        dataverse.DataverseStub,
        at(DataverseProvider),
        [quote(DATASET, safe="{}"), DATASET],
        DATASET.replace("TJCLKP", "NONONO"),
        "v2.1",
        "Open Source at Harvard",
    ),
    "hydroshare": Kind(
        hydroshare.HydroShareStub,
        at(HydroShareProvider),
        [
            hydroshare.RESOURCE,
            f"https://www.hydroshare.org/resource/{hydroshare.RESOURCE}/",
            f"10.4211/hs.{hydroshare.RESOURCE}",
        ],
        "0" * 32,
        f"{hydroshare.RESOURCE}.v1569427757",
        "Jupyter notebooks",
    ),
    "ckan": Kind(
        ckan.CKANStub,
        of(CKANProvider),
        [f"{{url}}%2Fdataset%2F{ckan.NAME}", f"{{url}}/dataset/{ckan.NAME}/resource/1"],
        "{url}/dataset/none",
        f"{ckan.NAME}.v1709049423",
        "Sample Dataset",
    ),
    "swh": Kind(
        swh.SoftwareHeritageStub,
        at(SoftwareHeritageProvider),
        [f"swh:1:rel:{swh.RELEASE}", f"swh:1:rel:{swh.RELEASE};origin=https://x.org/y"],
        f"swh:1:rel:{'0' * 40}",
        f"swh:1:rev:{swh.REVISION}",
        "Version 1.0 with words",
    ),
    "hg": Kind(
        mercurial.MercurialStub,
        of(MercurialProvider),
        ["{quoted}%2Forg%2Frepo/HEAD"],
        "{quoted}%2Forg%2Frepo/none",
        "a" * 40,
    ),
}


class Case(NamedTuple):
    kind: Kind
    stub: ArchiveStub
    provider: object

    def text(self, spec: str) -> str:
        quoted = quote(self.stub.url, safe="")
        return spec.replace("{url}", self.stub.url).replace("{quoted}", quoted)

    def spec(self, text: str | None = None):
        return self.provider.from_spec(self.text(text or self.kind.specs[0]))


@pytest.fixture(params=KINDS)
async def case(request):
    kind = KINDS[request.param]
    async with kind.stub().serve() as stub:
        provider = kind.provider(stub.url, allowed_networks=["127.0.0.1"], timeout=10)
        assert provider.id == request.param
        yield Case(kind, stub, provider)
        await provider.close()


async def test_all_spellings_are_one_repository(case):
    specs = {case.spec(text) for text in case.kind.specs}
    assert len(specs) == 1
    spec = specs.pop()
    assert (spec.provider, spec.ref) == (case.provider.id, "HEAD")
    assert case.provider.from_spec(spec.spec) == spec
    assert case.provider.from_url(spec.repository, None) == spec
    assert case.provider.from_url(spec.repository, spec.ref) == spec
    assert re.match(r"https?://[^/]+/", spec.repository)


async def test_what_it_means_now(case):
    spec = case.spec()
    resolved = await case.provider.resolve(spec)
    assert (resolved.spec, resolved.commit) == (spec, case.kind.commit)
    assert resolved.title == case.kind.title
    assert case.provider.commit_form.fullmatch(resolved.commit)
    assert not case.provider.commit_form.fullmatch("--config=x")


async def test_leaves_what_is_no_address_to_others(case):
    for text in (
        "",
        "org/repo",
        "quay.io/org/image:tag",
        "10.85.0.1:5000/org/image",
        "10.1000",
        "https://github.com/org/repo",
    ):
        assert case.provider.from_url(text, None) is None


async def test_refuses_what_names_nothing(case):
    for text in ("nothing", "", "/", "%00", "https%3A%2F%2Fx", "https://x.org/y", "10.1000"):
        with pytest.raises(SpecInvalid):
            case.provider.from_spec(text)


async def test_refuses_credentials_without_repeating_them(case):
    spec = case.spec()
    with pytest.raises(SpecInvalid, match="password") as caught:
        case.provider.from_url(spec.repository.replace("://", "://me:secret@"), None)
    assert "secret" not in str(caught.value)


async def test_refuses_refs_that_are_none(case):
    with pytest.raises(SpecInvalid):
        case.provider.from_url(case.spec().repository, "--upload-pack=x")


async def test_there_are_no_branches_and_nobody_is_asked(case):
    spec = case.spec()
    if case.provider.id == "hg":
        assert (await case.provider.refs(spec)).default == "default"
        return
    asked = len(case.stub.requests)
    assert await case.provider.refs(spec) == Refs()
    assert len(case.stub.requests) == asked


async def test_what_is_not_there(case):
    with pytest.raises(RefNotFound):
        await case.provider.resolve(case.spec(case.kind.absent))


async def test_many_at_once_and_soon_after_ask_once(case):
    spec = case.spec()
    commits = await asyncio.gather(*(case.provider.resolve(spec) for _ in range(20)))
    asked = len(case.stub.requests)
    await case.provider.resolve(spec)
    assert {each.commit for each in commits} == {case.kind.commit}
    assert len(case.stub.requests) == asked <= 2


async def test_a_blocked_address_is_not_asked(case):
    provider = case.kind.provider(case.stub.url, timeout=10)
    with pytest.raises(SpecForbidden):
        await provider.resolve(case.spec())
    await provider.close()
    assert case.stub.requests == []


async def test_a_redirect_to_a_blocked_address_is_not_followed(case):
    case.stub.answer = lambda: web.Response(
        status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}
    )
    with pytest.raises(SpecForbidden):
        await case.provider.resolve(case.spec())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 503}, "does not answer"),
        ({"status": 429, "headers": {"Retry-After": "120"}}, "2 minutes"),
        ({"body": b"x" * (1024 * 1024 + 1)}, "more than an answer may hold"),
    ],
)
async def test_refusals_are_told(case, answer, words):
    case.stub.answer = lambda: web.Response(**answer)
    with pytest.raises(ProviderUnavailable, match=words):
        await case.provider.resolve(case.spec())


async def test_a_page_for_people_is_no_answer(case):
    case.stub.answer = lambda: web.Response(text="<html>login</html>", content_type="text/html")
    with pytest.raises((ProviderUnavailable, RefNotFound)) as caught:
        await case.provider.resolve(case.spec())
    assert "html" not in str(caught.value)


async def test_a_host_that_is_down(case):
    spec = case.spec()
    url = "http://127.0.0.1:1"
    provider = case.kind.provider(url, allowed_networks=["127.0.0.1"], timeout=10)
    down = provider.from_url(spec.repository.replace(case.stub.url, url), None)
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await provider.resolve(down)
    await provider.close()


async def test_closing_twice_is_fine(case):
    spec = case.spec()
    await case.provider.resolve(spec)
    await case.provider.close()
    await case.provider.close()
    assert (await case.provider.resolve(spec)).commit == case.kind.commit


NAMES = st.sampled_from(
    [
        "id",
        "metadata",
        "title",
        "data",
        "values",
        "type",
        "value",
        "version",
        "created",
        "result",
        "metadata_modified",
        "dates",
        "start_date",
        "modified",
        "target",
        "target_type",
        "revision",
        "versionNumber",
        "versionMinorNumber",
        "metadataBlocks",
        "citation",
        "fields",
        "typeName",
        "URL",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | NAMES | st.text(max_size=20)
HOSTILE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
IDS = st.sampled_from(["../../x", "a/b", ".", "..", "-x", "1\n2", "1" * 5000, True, -1, 1.5, None])


def spoiled(value: object, draw) -> object:
    """The answer with one of its parts replaced."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: spoiled(value[name], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        return [spoiled(value[0], draw), *value[1:]]
    return draw(HOSTILE | IDS)


STARTS = [
    "",
    "10.5281/zenodo.",
    "https://doi.org/10.22002/",
    "https://zenodo.org/records/",
    "https://figshare.com/articles/",
    "https://x.org/dataset.xhtml?persistentId=",
    "https://x.org/file.xhtml?fileId=1&",
    "https://x.org/api/access/datafile/",
    "https://www.hydroshare.org/resource/",
    "https://127.0.0.1/dataset/",
    "https://archive.softwareheritage.org/",
    "swh:1:",
    "hg+https://",
    "https://[",
]


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    start=st.sampled_from(STARTS),
    text=st.text() | st.text("a1./?#%&=@:;,~-_\\[]", max_size=40),
    ref=st.none() | st.sampled_from(["HEAD", "v1", "v1.0", "2", "main"]) | st.text(max_size=8),
)
async def test_no_text_breaks_it(case, start, text, ref):
    for read in (case.provider.from_spec, lambda each: case.provider.from_url(each, ref)):
        try:
            spec = read(start + text)
        except SpecInvalid:
            continue
        if spec is not None:
            assert case.provider.from_spec(spec.spec) == spec
            assert spec.repository.isprintable()
            assert spec.repository.isascii()


@pytest.fixture
async def forgetful(case):
    """A provider that asks each time."""
    provider = case.kind.provider(case.stub.url, allowed_networks=["127.0.0.1"], memo=0)
    yield provider
    await provider.close()


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
async def test_no_answer_breaks_it(case, forgetful, data):
    if case.provider.id == "hg":
        body = data.draw(st.binary(max_size=60))
    else:
        pages = [page for page in case.stub.pages.values() if isinstance(page, dict)]
        good = data.draw(st.sampled_from(pages)) if pages else {}
        body = json.dumps(spoiled(good, data.draw)).encode()
    case.stub.answer = lambda: web.Response(body=body, content_type="application/mercurial-0.1")
    refusal = None
    try:
        resolved = await forgetful.resolve(case.spec())
    except ImageBuilderError as error:
        refusal = error
    if refusal is None:
        assert forgetful.commit_form.fullmatch(resolved.commit)
        assert resolved.title is None or resolved.title.isprintable()
    else:
        assert not isinstance(refusal, SpecInvalid)
        assert len(refusal.message) < 400
