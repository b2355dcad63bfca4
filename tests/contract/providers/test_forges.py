"""What only GitLab, Gitea, Bitbucket or a gist does, against stubs of their APIs."""

from __future__ import annotations

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import (
    ProviderUnavailable,
    RefNotFound,
    SpecForbidden,
)
from jupyterhub_imagebuilder.providers.gist import GistProvider
from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider

from .forges import Gist, Gitea, GitLab

DATE = 1795251600.0  # forges.DATE
LOCAL = {"allowed_networks": ["127.0.0.1", "::1"], "timeout": 10}


@pytest.fixture
async def gist(git_web, sample):
    stub = git_web.apis["/gists/"] = Gist(sample)
    stub.provider = GistProvider(api_url=git_web.url, **LOCAL)
    yield stub
    await stub.provider.close()


@pytest.fixture
async def gitlab(git_tls, sample):
    stub = git_tls.apis["/api/v4/"] = GitLab(sample)
    stub.provider = GitLabProvider(hosts=[git_tls.host], ca_file=git_tls.ca_file, **LOCAL)
    yield stub
    await stub.provider.close()


async def resolve(stub, spec):
    return await stub.provider.resolve(stub.provider.from_spec(spec))


async def test_a_gist_is_one_request_however_many_refs(gist, sample):
    newest = await resolve(gist, "Org/0123abcd")
    assert (newest.commit, newest.date) == (sample.commits["main"], DATE)
    assert (await resolve(gist, f"org/0123abcd/{sample.old[:7]}")).commit == sample.old
    assert (await resolve(gist, f"org/0123abcd/{sample.old}")).commit == sample.old
    assert [request.path for request in gist.requests] == ["/gists/0123abcd"]


@pytest.mark.parametrize("ref", ["", "/" + "0" * 40])
async def test_a_secret_gist_is_not_built_by_its_commit_either(gist, ref):
    gist.public = False
    with pytest.raises(SpecForbidden, match="Secret gists"):
        await resolve(gist, f"org/0123abcd{ref}")


async def test_a_gist_of_somebody_else(gist):
    with pytest.raises(RefNotFound, match="not one of other"):
        await resolve(gist, "other/0123abcd")


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"owner": "org", "public": True},
        {"owner": {"login": "org"}, "public": True},
        {"owner": {"login": "org"}, "public": True, "history": [None]},
        {"owner": {"login": "org"}, "public": "yes", "history": []},
        {"owner": {"login": "org"}, "public": True, "history": [{"version": "../x"}]},
    ],
)
async def test_a_gist_of_another_shape(gist, said, monkeypatch):
    gist.answer = web.json_response(said)
    monkeypatch.setattr(gist.provider, "_git_address", lambda _: pytest.fail("asks git"))
    with pytest.raises((RefNotFound, ProviderUnavailable, SpecForbidden)):
        await resolve(gist, "org/0123abcd")


async def test_gitlab_tells_title_and_date(gitlab, sample):
    found = await resolve(gitlab, "org%2Frepo/feature/x")
    assert found.commit == sample.commits["feature/x"]
    assert (found.title, found.date) == ("Fix the plot", DATE)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_where_gitlab_s_api_tells_nothing_git_does(gitlab, sample, status):
    gitlab.answer = web.Response(status=status)
    assert (await resolve(gitlab, "org%2Frepo/main")).commit == sample.commits["main"]


async def test_what_git_cannot_tell_either_is_the_api_s_sentence(gitlab, sample):
    gitlab.answer = web.Response(status=429, headers={"Retry-After": "600"})
    with pytest.raises(ProviderUnavailable, match="in 10 minutes"):
        await resolve(gitlab, f"org%2Frepo/{sample.old[:8]}")


@pytest.mark.parametrize("said", [{}, [], None, [{"sha": 5}], {"id": "main"}, "x"])
@pytest.mark.parametrize(
    ("cls", "stub", "start"), [(GitLabProvider, GitLab, "/api/v4/"), (GiteaProvider, Gitea, "/api")]
)
async def test_answers_of_another_shape(*, git_tls, sample, cls, stub, start, said):
    api = git_tls.apis[start] = stub(sample)
    api.answer = web.json_response(said)
    provider = cls(hosts=[git_tls.host], ca_file=git_tls.ca_file, **LOCAL)
    with pytest.raises(ProviderUnavailable, match="names no commit"):
        await provider.resolve(provider.from_url(f"{git_tls.url}/org/repo", sample.old[:8]))
    await provider.close()
