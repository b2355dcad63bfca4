"""What only the provider ``git`` does, against a real Git server."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import count

import pytest

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecForbidden
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.gitcommand import GitFolder

from .sample import git, make_sample


@pytest.fixture
async def provider():
    made = GitProvider(
        allowed_networks=["127.0.0.1"], allowed_protocols=["git", "http", "https"], timeout=10
    )
    yield made
    await made.close()


@pytest.fixture
def runs(monkeypatch):
    """Commands of git that were run."""
    commands = []
    run = GitFolder.run

    async def counted(self, *arguments):
        commands.append(arguments[0])
        return await run(self, *arguments)

    monkeypatch.setattr(GitFolder, "run", counted)
    return commands


async def resolve(provider, url, ref):
    return (await provider.resolve(provider.from_url(url, ref))).commit


@pytest.mark.parametrize("ref", ["main", "v1.0", "HEAD"])
async def test_a_branch_or_tag_is_one_process(provider, git_server, sample, runs, ref):
    await resolve(provider, f"{git_server.url}/org/repo", ref)
    assert runs == ["ls-remote"]


async def test_a_tip_by_its_digits_is_one_process(provider, git_server, sample, runs):
    tip = sample.commits["main"]
    assert await resolve(provider, f"{git_server.url}/org/repo", tip[:9].upper()) == tip
    assert runs == ["ls-remote"]


async def test_those_who_ask_at_once_or_soon_after_share_it(provider, git_server, sample, runs):
    url = f"{git_server.url}/org/repo"
    await asyncio.gather(*(resolve(provider, url, "main") for _ in range(10)))
    await resolve(provider, url, "main")
    assert runs == ["ls-remote"]


async def test_without_a_memo_later_ones_ask_again(git_server, sample, runs):
    provider = GitProvider(allowed_networks=["127.0.0.1"], memo=0)
    for _ in range(2):
        await resolve(provider, f"{git_server.url}/org/repo", "main")
    assert runs == ["ls-remote"] * 2


async def test_a_whole_commit_is_asked_of_nobody(provider, sample, runs):
    commit = sample.old.upper()
    assert await resolve(provider, "https://git.invalid/org/repo", commit) == sample.old
    assert runs == []


@pytest.mark.parametrize("filters", ["true", "false"])
async def test_old_commits_from_servers_with_and_without_filters(
    provider, git_server, tmp_path_factory, filters
):
    name = f"filters-{filters}"
    sample = make_sample(git_server.base / name)
    git(sample.folder, "config", "uploadpack.allowFilter", filters)
    for ref in (sample.old, sample.old[:8]):
        assert await resolve(provider, f"{git_server.url}/{name}", ref) == sample.old


async def test_sha256_repositories(provider, git_server):
    sample = make_sample(git_server.base / "sha256", "--object-format=sha256")
    assert len(sample.old) == 64
    for ref in ("main", "v1.0"):
        assert await resolve(provider, f"{git_server.url}/sha256", ref) == sample.commits[ref]
    for ref in (sample.old, sample.old[:10], sample.old[:40][:39]):
        assert await resolve(provider, f"{git_server.url}/sha256", ref) == sample.old


async def test_digits_of_an_annotated_tag_mean_its_commit(provider, git_server, sample):
    tag = git(sample.folder, "rev-parse", "v1.0")
    assert tag != sample.commits["v1.0"]
    assert await resolve(provider, f"{git_server.url}/org/repo", tag[:9]) == sample.commits["v1.0"]


async def test_digits_of_a_folder_are_no_commit(provider, git_server, sample):
    tree = git(sample.folder, "rev-parse", "main^{tree}")
    with pytest.raises(RefNotFound, match=tree[:12]):
        await resolve(provider, f"{git_server.url}/org/repo", tree[:12])


def make_twins(folder):
    """Two commits without files or parents whose ids start with the same seven digits."""
    tree = git(folder, "hash-object", "-t", "tree", "-w", "/dev/null")
    seen = {}
    for number in count():
        who = "a <a@example.org> 0 +0000"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{number}\n"
        name = hashlib.sha1(f"commit {len(text)}\0{text}".encode()).hexdigest()
        other = seen.setdefault(name[:7], text)
        if other is not text:
            return [write_commit(folder, each) for each in (other, text)]
    return None


def write_commit(folder, text):
    (folder / "commit").write_text(text)
    return git(folder, "hash-object", "-t", "commit", "-w", "commit")


async def test_digits_that_mean_several_commits(provider, git_server):
    folder = git_server.base / "ambiguous"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    one, two = make_twins(folder)
    assert one[:7] == two[:7]
    url = f"{git_server.url}/ambiguous"
    # as tips, and as history of one
    git(folder, "update-ref", "refs/heads/one", one)
    git(folder, "update-ref", "refs/heads/two", two)
    with pytest.raises(RefNotFound, match="More than one commit"):
        await resolve(provider, url, one[:7])
    merged = git(folder, "commit-tree", "-p", one, "-p", two, "-m", "m", f"{one}^{{tree}}")
    git(folder, "update-ref", "refs/heads/main", merged)
    git(folder, "branch", "-q", "-D", "one", "two")
    with pytest.raises(RefNotFound, match="More than one commit"):
        await resolve(provider, url, one[:7])
    assert await resolve(provider, url, two) == two


async def test_an_empty_repository(provider, git_server):
    folder = git_server.base / "empty"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    with pytest.raises(RefNotFound, match="no default branch"):
        await resolve(provider, f"{git_server.url}/empty", None)
    with pytest.raises(RefNotFound, match="no branch, tag or commit abcdef1"):
        await resolve(provider, f"{git_server.url}/empty", "abcdef1")


async def test_a_history_that_is_too_large(git_server, sample, monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.providers.gitcommand._SIZE_INTERVAL", 0)
    provider = GitProvider(allowed_networks=["127.0.0.1"], fetch_limit=1024)
    monkeypatch.setattr("jupyterhub_imagebuilder.providers.gitcommand._size", lambda _: 1025)
    with pytest.raises(ProviderUnavailable, match="give all 40 digits"):
        await resolve(provider, f"{git_server.url}/org/repo", sample.old[:8])


async def test_a_branch_with_a_folder_behind_it_is_told_apart(provider, git_server, sample):
    url = f"{git_server.url}/org/repo"
    with pytest.raises(RefNotFound, match=f"but there is feature/x: write {url}@feature/x"):
        await resolve(provider, url, "feature/x/notebooks/a")


@pytest.mark.parametrize("ref", ["main", "abcdef1", "0" * 40])
async def test_nothing_is_asked_of_a_blocked_address(git_server, sample, runs, ref):
    provider = GitProvider()
    with pytest.raises(SpecForbidden):
        await resolve(provider, f"{git_server.url}/org/repo", ref)
    assert runs == []
