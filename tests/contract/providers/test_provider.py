"""What every provider does, the fake of the unit tests included."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple

import pytest

from jupyterhub_imagebuilder.builds.model import RefKind, ResolvedRef
from jupyterhub_imagebuilder.builds.ports import RepoProvider
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address
from jupyterhub_imagebuilder.providers.bitbucket import BitbucketProvider
from jupyterhub_imagebuilder.providers.gist import GistProvider
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider
from tests.fakes.provider import FakeProvider

from .conftest import GitServer
from .forges import Bitbucket, Gist, Gitea, GitHub, GitLab
from .gitweb import GitWeb
from .sample import Sample

DOWN = 1  # a port on which nobody listens


class LocalGitHub(GitHubProvider):
    """GitHub, whose repositories are on a local Git server."""

    git_url = ""

    def _git_address(self, repository):
        return read_address(f"{self.git_url}/{repository.removeprefix('https://github.com/')}")

    def _protocols(self):
        return ("git",)


class LocalGist(GistProvider):
    """Gists, of which one is the sample."""

    git_url = ""

    def _git_address(self, repository):
        name = repository.removesuffix(".git").removeprefix("https://gist.github.com/")
        return read_address(f"{self.git_url}/{name.replace('0123abcd', 'repo')}")

    def _protocols(self):
        return ("git",)


class LocalBitbucket(BitbucketProvider):
    """Bitbucket, whose hosts are local."""

    host = ""

    def _hosts(self):
        return [self.host]

    def from_spec(self, spec):
        made = super().from_spec(spec)
        return replace(made, repository=made.repository.replace("bitbucket.org", self.host))


class Case(NamedTuple):
    provider: RepoProvider
    url: str
    absent: str
    down: RepoProvider
    down_url: str


LOCAL = {"allowed_networks": ["127.0.0.1", "::1"], "timeout": 10}
PROTOCOLS = ["https", "http", "git"]


def make_git(base: str, **settings) -> Case:
    provider = GitProvider(allowed_protocols=PROTOCOLS, **LOCAL, **settings)
    down = GitProvider(**LOCAL)
    return Case(
        provider, f"{base}/org/repo", f"{base}/org/absent", down, f"git://127.0.0.1:{DOWN}/x"
    )


def make_github(git_server, github, **settings) -> Case:
    nowhere = f"://127.0.0.1:{DOWN}"
    provider = LocalGitHub(api_url=github.url, **LOCAL, **settings)
    provider.git_url = git_server.url
    down = LocalGitHub(api_url=f"http{nowhere}", **LOCAL, **settings)
    down.git_url = f"git{nowhere}"
    url = "https://github.com/org"
    return Case(provider, f"{url}/repo", f"{url}/absent", down, f"{url}/repo")


def make_gist(git_server, git_web, sample, **settings) -> Case:
    git_web.apis["/gists/"] = Gist(sample)
    provider = LocalGist(api_url=git_web.url, **LOCAL, **settings)
    provider.git_url = git_server.url
    down = LocalGist(api_url=f"http://127.0.0.1:{DOWN}", **LOCAL, **settings)
    down.git_url = f"git://127.0.0.1:{DOWN}"
    url = "https://gist.github.com/org"
    return Case(provider, f"{url}/0123abcd", f"{url}/abcdef", down, f"{url}/0123abcd")


def make_forge(cls, stub, start, git_tls, **settings) -> Case:
    """A host of one's own: repositories and API over HTTPS."""
    git_tls.apis[start] = stub
    down_host = f"localhost:{DOWN}"
    if cls is LocalBitbucket:
        provider, down = (cls(ca_file=git_tls.ca_file, **LOCAL, **settings) for _ in range(2))
        provider.host, down.host = git_tls.host, down_host
    else:
        provider = cls(hosts=[git_tls.host], ca_file=git_tls.ca_file, **LOCAL, **settings)
        down = cls(hosts=[down_host], ca_file=git_tls.ca_file, **LOCAL, **settings)
    url = f"{git_tls.url}/org"
    return Case(provider, f"{url}/repo", f"{url}/absent", down, f"https://{down_host}/org/repo")


def make_fake(sample) -> Case:
    url = "https://git.example.org/org"
    commits = {(f"{url}/repo", ref): commit for ref, commit in sample.commits.items()}
    for commit in (*sample.commits.values(), sample.old):
        commits |= {(f"{url}/repo", commit): commit, (f"{url}/repo", commit[:8]): commit}
    down = FakeProvider()
    down.failures[f"{url}/repo"] = ProviderUnavailable("The host git.example.org does not answer.")
    provider = FakeProvider(commits)
    provider.tags = {"light", "v1.0"}
    return Case(provider, f"{url}/repo", f"{url}/absent", down, f"{url}/repo")


class Place(NamedTuple):
    """What there is to ask."""

    git: GitServer
    web: GitWeb
    tls: GitWeb
    github: GitHub
    sample: Sample
    token: dict[str, str]  #: the option that names a file with "secret"


@pytest.fixture
def place(*, git_server, git_web, git_tls, sample, github, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setattr("jupyterhub_imagebuilder.providers.bitbucket._API", f"{git_tls.url}/2.0")
    token = {"access_token_file": str(tmp_path / "token")}
    return Place(git_server, git_web, git_tls, github, sample, token)


def private(place, *, cls, stub, start, login, authorization) -> Case:
    """The same where everything wants the token."""
    place.tls.login = login
    stub.token = authorization
    return make_forge(cls, stub, start, place.tls, **place.token)


CASES = {
    "git": lambda at: make_git(at.git.url),
    "git over http": lambda at: make_git(at.web.url),
    "git over https": lambda at: make_git(at.tls.url, ca_file=at.tls.ca_file),
    "gh": lambda at: make_github(at.git, at.github),
    "gh with a token": lambda at: make_github(at.git, at.github, **at.token),
    "gist": lambda at: make_gist(at.git, at.web, at.sample),
    "secret gist": lambda at: make_gist(at.git, at.web, at.sample, allow_secret_gist=True),
    "gl": lambda at: make_forge(GitLabProvider, GitLab(at.sample), "/api/v4", at.tls),
    "gl private": lambda at: private(
        at,
        cls=GitLabProvider,
        stub=GitLab(at.sample),
        start="/api/v4",
        login="oauth2:secret",
        authorization="Bearer secret",
    ),
    "gitea": lambda at: make_forge(GiteaProvider, Gitea(at.sample), "/api/v1", at.tls),
    "gitea private": lambda at: private(
        at,
        cls=GiteaProvider,
        stub=Gitea(at.sample),
        start="/api/v1",
        login="oauth2:secret",
        authorization="token secret",
    ),
    "bb": lambda at: make_forge(LocalBitbucket, Bitbucket(at.sample), "/2.0", at.tls),
    "bb private": lambda at: private(
        at,
        cls=LocalBitbucket,
        stub=Bitbucket(at.sample),
        start="/2.0",
        login="x-token-auth:secret",
        authorization="Bearer secret",
    ),
    "fake": lambda at: make_fake(at.sample),
}


@pytest.fixture(params=CASES)
async def case(request, place):
    made = CASES[request.param](place)
    yield made
    for provider in (made.provider, made.down):
        if hasattr(provider, "close"):
            await provider.close()


async def resolve(case: Case, ref: str | None) -> str:
    spec = case.provider.from_url(case.url, ref)
    assert spec is not None
    resolved = await case.provider.resolve(spec)
    assert resolved == ResolvedRef(spec, resolved.commit)
    assert case.provider.commit_form.fullmatch(resolved.commit)
    return resolved.commit


async def test_reads_an_address_and_its_own_spec(case):
    spec = case.provider.from_url(case.url + ".git/", None)
    repository = f"{case.url}.git" if case.provider.id == "gist" else case.url
    assert (spec.provider, spec.repository, spec.ref) == (case.provider.id, repository, "HEAD")
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


@pytest.mark.parametrize("ref", ["nope", "mai", "0123456"])
async def test_a_ref_that_is_not_there(case, ref):
    with pytest.raises(RefNotFound, match=f"no branch, tag or commit {ref}"):
        await resolve(case, ref)


@pytest.mark.parametrize("ref", ["main", "0123456"])
async def test_a_repository_that_is_not_there(case, ref):
    spec = case.provider.from_url(case.absent, ref)
    with pytest.raises(RefNotFound, match=case.absent.rpartition("/")[2]):
        await case.provider.resolve(spec)


@pytest.mark.parametrize("ref", ["main", "0123456"])
async def test_a_host_that_does_not_answer(case, ref):
    spec = case.down.from_url(case.down_url, ref)
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await case.down.resolve(spec)


async def test_what_is_no_whole_commit_has_not_its_form(case, sample):
    tip = sample.commits["main"]
    assert case.provider.commit_form.fullmatch(tip)
    for other in ("", "main", tip[:-1], f"{tip}0", f"{tip}\n", tip.replace(tip[0], "-")):
        assert not case.provider.commit_form.fullmatch(other)


async def test_names_branches_and_tags(case, sample):
    # the commit beside it does not matter, nor whether it is there
    for ref in (None, "main", "nope", "0123456"):
        found = await case.provider.refs(case.provider.from_url(case.url, ref))
        assert {ref.name for ref in found.refs} == set(sample.commits) - {"HEAD"}
        assert (found.default, found.refs[0].name, found.more) == ("main", "main", False)
        branches = [ref.name for ref in found.refs if ref.kind is RefKind.BRANCH]
        assert branches == ["main", "both", "dec0de0", "feature/x"]
        tags = {ref.name: ref.commit for ref in found.refs if ref.kind is RefKind.TAG}
        assert tags.items() >= {(name, sample.commits[name]) for name in ("light", "v1.0")}
        named = {ref.name: ref.commit for ref in found.refs if ref.name != "both"}
        assert named.items() <= sample.commits.items()


async def test_names_of_what_is_not_there_or_does_not_answer(case):
    with pytest.raises(RefNotFound):
        await case.provider.refs(case.provider.from_url(case.absent, None))
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await case.down.refs(case.down.from_url(case.down_url, None))


async def test_many_at_once(case, sample):
    commits = await asyncio.gather(*(resolve(case, ref) for ref in ["main"] * 20 + ["light"] * 3))
    assert set(commits) == {sample.commits["main"], sample.commits["light"]}
