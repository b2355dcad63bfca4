"""What every provider does, the fake of the unit tests included."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest

from jupyterhub_imagebuilder.builds.model import ResolvedRef
from jupyterhub_imagebuilder.builds.ports import RepoProvider
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.remote import GitRemote
from tests.fakes.provider import FakeProvider

DOWN = 1  # a port on which nobody listens


class LocalGitHub(GitHubProvider):
    """GitHub, whose repositories are on a local Git server."""

    git_url = ""

    def _remote(self, repository: str) -> GitRemote:
        path = repository.removeprefix("https://github.com/")
        return GitRemote(f"{self.git_url}/{path}", "127.0.0.1", ("git",), self.timeout)


class Case(NamedTuple):
    provider: RepoProvider
    url: str
    absent: str
    down: RepoProvider
    down_url: str


def make_git(git_server) -> Case:
    provider = GitProvider(blocked_networks=[], timeout=10)
    down = GitProvider(blocked_networks=[], timeout=10)
    base = git_server.url
    return Case(
        provider, f"{base}/org/repo", f"{base}/org/absent", down, f"git://127.0.0.1:{DOWN}/x"
    )


def make_github(git_server, github, **settings) -> Case:
    nowhere = f"://127.0.0.1:{DOWN}"
    provider = LocalGitHub(api_url=github.url, timeout=10, **settings)
    provider.git_url = git_server.url
    down = LocalGitHub(api_url=f"http{nowhere}", timeout=10, **settings)
    down.git_url = f"git{nowhere}"
    url = "https://github.com/org"
    return Case(provider, f"{url}/repo", f"{url}/absent", down, f"{url}/repo")


def make_fake(sample) -> Case:
    url = "https://git.example.org/org"
    commits = {(f"{url}/repo", ref): commit for ref, commit in sample.commits.items()}
    for commit in (*sample.commits.values(), sample.old):
        commits |= {(f"{url}/repo", commit): commit, (f"{url}/repo", commit[:8]): commit}
    down = FakeProvider()
    down.failures[f"{url}/repo"] = ProviderUnavailable("The host git.example.org does not answer.")
    return Case(FakeProvider(commits), f"{url}/repo", f"{url}/absent", down, f"{url}/repo")


@pytest.fixture(params=["git", "gh", "gh with a token", "fake"])
async def case(request, git_server, sample, github, tmp_path):
    match request.param:
        case "git":
            made = make_git(git_server)
        case "gh":
            made = make_github(git_server, github)
        case "fake":
            made = make_fake(sample)
        case _:
            (tmp_path / "token").write_text("secret\n")
            made = make_github(git_server, github, access_token_file=str(tmp_path / "token"))
    yield made
    for provider in (made.provider, made.down):
        if hasattr(provider, "close"):
            await provider.close()


async def resolve(case: Case, ref: str | None) -> str:
    spec = case.provider.from_url(case.url, ref)
    assert spec is not None
    resolved = await case.provider.resolve(spec)
    assert resolved == ResolvedRef(spec, resolved.commit)
    return resolved.commit


async def test_reads_an_address_and_its_own_spec(case):
    spec = case.provider.from_url(case.url + ".git/", None)
    assert (spec.provider, spec.repository, spec.ref) == (case.provider.id, case.url, "HEAD")
    assert case.provider.from_spec(spec.spec) == spec
    assert case.provider.from_url(spec.repository, spec.ref) == spec


async def test_leaves_what_is_no_address_to_others(case):
    assert case.provider.from_url("org/repo", None) is None
    assert case.provider.from_url("quay.io/org/image:tag", None) is None


async def test_refuses_credentials_and_refs_that_are_none(case):
    with pytest.raises(SpecInvalid, match="password") as caught:
        case.provider.from_url(case.url.replace("://", "://me:secret@"), None)
    assert "secret" not in str(caught.value)
    with pytest.raises(SpecInvalid):
        case.provider.from_url(case.url, "--upload-pack=x")
    with pytest.raises(SpecInvalid):
        case.provider.from_spec("nothing")


@pytest.mark.parametrize("ref", ["HEAD", "main", "light", "v1.0", "feature/x", "both", "dec0de0"])
async def test_resolves_branches_and_tags_to_commits(case, sample, ref):
    assert await resolve(case, ref) == sample.commits[ref]


async def test_no_ref_is_the_default_branch(case, sample):
    assert await resolve(case, None) == sample.commits["main"]


async def test_resolves_commits_full_and_abbreviated_tips_and_old_ones(case, sample):
    tip = sample.commits["main"]
    for commit in (tip, sample.old):
        assert await resolve(case, commit) == commit
        assert await resolve(case, commit[:8]) == commit


@pytest.mark.parametrize("ref", ["nope", "mai", "0123456", "0" * 39 + "1"])
async def test_a_ref_that_is_not_there(case, ref):
    with pytest.raises(RefNotFound, match=f"no branch, tag or commit {ref}"):
        await resolve(case, ref)


@pytest.mark.parametrize("ref", ["main", "0123456", "0" * 39 + "1"])
async def test_a_repository_that_is_not_there(case, ref):
    spec = case.provider.from_url(case.absent, ref)
    with pytest.raises(RefNotFound, match="org/absent"):
        await case.provider.resolve(spec)


@pytest.mark.parametrize("ref", ["main", "0" * 39 + "1"])
async def test_a_host_that_does_not_answer(case, ref):
    spec = case.down.from_url(case.down_url, ref)
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await case.down.resolve(spec)


async def test_many_at_once(case, sample):
    commits = await asyncio.gather(*(resolve(case, ref) for ref in ["main"] * 20 + ["light"] * 3))
    assert set(commits) == {sample.commits["main"], sample.commits["light"]}
