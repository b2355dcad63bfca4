"""What only the provider ``gh`` does, against a stub of GitHub's API."""

from __future__ import annotations

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers.github import GitHubProvider


@pytest.fixture
async def provider(github, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    made = GitHubProvider(api_url=github.url, access_token_file=str(tmp_path / "token"), timeout=10)
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
    assert first.headers["Accept"] == "application/vnd.github.sha"
    assert first.raw_path == "/repos/org/repo/commits/feature%2Fx"


async def test_an_answer_that_did_not_change_is_not_sent_again(provider, github, sample):
    assert await resolve(provider, "main") == await resolve(provider, "main")
    assert [r.headers.get("If-None-Match") for r in github.requests] == [
        None,
        f'"{sample.commits["main"]}"',
    ]


async def test_what_is_remembered_is_bounded(provider, github, sample, monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.providers.github_api._CACHE_SIZE", 2)
    for ref in ("main", "light", "both", "main"):
        await resolve(provider, ref)
    assert github.requests[-1].headers.get("If-None-Match") is None
    assert len(provider._api._known) == 2


async def test_without_a_token_none_is_sent(github, sample):
    provider = GitHubProvider(api_url=github.url)
    assert await resolve(provider, sample.old) == sample.old
    await provider.close()
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
        ({"status": 200, "text": "<html>login</html>"}, ProviderUnavailable, "names no commit"),
        ({"status": 200, "text": "a" * 100000}, ProviderUnavailable, "names no commit"),
    ],
)
async def test_refusals(provider, github, answer, kind, words):
    github.answer = web.Response(**answer)
    with pytest.raises(kind, match=words) as caught:
        await resolve(provider, "main")
    assert "secret" not in str(caught.value)


async def test_an_api_address_that_is_none(tmp_path):
    provider = GitHubProvider(api_url="nonsense")
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await resolve(provider, "0" * 40)
    await provider.close()


async def test_closing_twice_is_fine(provider):
    await resolve(provider, "main")
    await provider.close()
    await provider.close()
    assert await resolve(provider, "main")
