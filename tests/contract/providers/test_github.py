"""What only the provider ``gh`` does, against a stub of GitHub's API."""

from __future__ import annotations

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import ImageBuilderError, ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers.github import GitHubProvider

LOCAL = {"allowed_networks": ["127.0.0.1"]}


@pytest.fixture
async def provider(github, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    made = GitHubProvider(
        api_url=github.url, access_token_file=str(tmp_path / "token"), timeout=10, **LOCAL
    )
    yield made
    await made.close()


async def resolve(provider, ref):
    return (await provider.resolve(provider.from_spec(f"org/repo/{ref}"))).commit


async def test_the_token_goes_in_a_header_and_is_read_anew(provider, github, sample, tmp_path):
    await resolve(provider, "feature/x")
    (tmp_path / "token").write_text("renewed")
    await resolve(provider, "main")
    first, second = github.requests
    assert first.headers["Authorization"] == "Bearer secret"
    assert second.headers["Authorization"] == "Bearer renewed"
    assert first.headers["Accept"] == "application/vnd.github+json"
    assert first.raw_path == "/repos/org/repo/commits/feature%2Fx?per_page=1"


async def test_the_answer_has_title_and_date(provider, sample):
    resolved = await provider.resolve(provider.from_spec("org/repo/main"))
    assert (resolved.title, resolved.date) == ("Fix the plot", 1795251600.0)


async def test_an_answer_that_did_not_change_is_not_sent_again(github, sample, tmp_path):
    (tmp_path / "token").write_text("secret")
    provider = GitHubProvider(
        api_url=github.url, access_token_file=str(tmp_path / "token"), memo=0, **LOCAL
    )
    assert await resolve(provider, "main") == await resolve(provider, "main")
    await provider.close()
    assert [r.headers.get("If-None-Match") for r in github.requests] == [
        None,
        f'"{sample.commits["main"]}"',
    ]


async def test_a_whole_commit_is_asked_of_nobody(provider, github, sample):
    assert await resolve(provider, sample.old.upper()) == sample.old
    assert github.requests == []


async def test_a_pull_request_is_its_head(provider, github, sample):
    spec = provider.from_url("https://github.com/Org/repo/pull/12/files", None)
    assert spec.ref == "refs/pull/12/head"
    assert (await provider.resolve(spec)).commit == sample.request
    assert github.requests[-1].path == "/repos/org/repo/pulls/12"


@pytest.mark.parametrize("path", ["Org/repo", "org/.*"])
async def test_what_the_admin_named_is_listed_with_the_token(git_tls, sample, tmp_path, path):
    (tmp_path / "token").write_text("secret")
    git_tls.login = "x-access-token:secret"
    provider = _enterprise(git_tls, tmp_path, path)
    listed = await provider.refs(provider.from_spec("org/repo/main"))
    await provider.close()
    assert {ref.commit for ref in listed.refs if ref.name == "main"} == {sample.commits["main"]}


async def test_nothing_else_is_listed_with_the_token(git_tls, tmp_path):
    (tmp_path / "token").write_text("secret")
    provider = _enterprise(git_tls, tmp_path, "other/.*")
    spec = provider.from_spec("org/repo/main")
    # where everyone may read, a token that may nothing but ask the API is refused
    assert (await provider.refs(spec)).default == "main"
    git_tls.login = "x-access-token:secret"
    with pytest.raises(RefNotFound, match="is private"):
        await provider.refs(spec)
    await provider.close()


def _enterprise(git_tls, tmp_path, path):
    host = git_tls.url.removeprefix("https://")
    return GitHubProvider(
        hostname=host,
        access_token_file=str(tmp_path / "token"),
        private_repositories=[f"https://{host}/{path}"],
        ca_file=git_tls.ca_file,
        timeout=10,
        memo=0,
        **LOCAL,
    )


async def test_without_a_token_none_is_sent(github, sample):
    provider = GitHubProvider(api_url=github.url, **LOCAL)
    found = await provider._by_api("https://github.com/org/repo", sample.old[:9])
    await provider.close()
    assert found.commit == sample.old
    assert "Authorization" not in github.requests[0].headers


@pytest.mark.parametrize("content", ["", "two words", "é"])
async def test_a_token_file_that_holds_none(provider, tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(ProviderUnavailable, match="administrator") as caught:
        await resolve(provider, "main")
    assert "token" not in str(caught.value).replace("GitHub token", "")


async def test_a_token_file_that_is_gone(provider, tmp_path):
    (tmp_path / "token").unlink()
    with pytest.raises(ProviderUnavailable, match="administrator"):
        await resolve(provider, "main")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status": 401}, ProviderUnavailable, "refuses the token"),
        ({"status": 403, "headers": {"Retry-After": "120"}}, ProviderUnavailable, "2 minutes"),
        ({"status": 404}, RefNotFound, "does not exist or is private"),
        ({"status": 503}, ProviderUnavailable, "error 503"),
        ({"status": 200, "text": "<html>login</html>"}, ProviderUnavailable, "cannot be read"),
        ({"status": 200, "text": "[]"}, ProviderUnavailable, "names no commit"),
        ({"status": 200, "text": '{"sha": "a/../b"}'}, ProviderUnavailable, "names no commit"),
        ({"status": 200, "text": "a" * 2000000}, ProviderUnavailable, "more than an answer"),
    ],
)
async def test_refusals(provider, github, answer, kind, words):
    github.answer = web.Response(**answer)
    with pytest.raises(kind, match=words) as caught:
        await resolve(provider, "main")
    assert "secret" not in str(caught.value)


async def test_an_api_address_that_is_none(tmp_path):
    (tmp_path / "token").write_text("secret")
    provider = GitHubProvider(api_url="nonsense", access_token_file=str(tmp_path / "token"))
    with pytest.raises(ImageBuilderError, match="HTTP"):
        await resolve(provider, "main")
    await provider.close()


async def test_closing_twice_is_fine(provider):
    await resolve(provider, "main")
    await provider.close()
    await provider.close()
    assert await resolve(provider, "main")
