"""git behind the door: servers that send elsewhere, resolvers that change their mind."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecForbidden
from jupyterhub_imagebuilder.providers.door import Door
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.gitcommand import git_folder
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED

from .forges import GitLab
from .gitweb import basic

PROTOCOLS = ["git", "http", "https"]


@pytest.fixture
async def provider():
    made = GitProvider(allowed_networks=["127.0.0.1"], allowed_protocols=PROTOCOLS, timeout=10)
    yield made
    await made.close()


async def resolve(provider, url, ref="main"):
    return (await provider.resolve(provider.from_url(url, ref))).commit


async def counted_server():
    """A port on 127.0.0.2 that must not be connected to."""
    connections = []

    async def handle(reader, writer):
        connections.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.2", 0)
    return server, server.sockets[0].getsockname()[1], connections


@pytest.mark.parametrize("suffix", ["", ".git"])
async def test_a_repository_that_moved_is_followed(provider, git_web, sample, suffix):
    git_web.moved["/old/name"] = f"/org/repo{suffix}"
    assert await resolve(provider, f"{git_web.url}/old/name") == sample.commits["main"]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/org/repo",
        "http://2130706434:{port}/org/repo",
        "http://0x7f.2:{port}/org/repo",
        "http://017700000002:{port}/org/repo",
        "http://[::ffff:127.0.0.2]:{port}/org/repo",
        "http://169.254.169.254/org/repo",
        "git://127.0.0.2:{port}/org/repo",
        "file:///etc",
        "ext::sh -c id",
    ],
)
async def test_git_is_not_sent_to_what_is_blocked(provider, git_web, target):
    server, port, connections = await counted_server()
    git_web.moved["/old/name"] = target.format(port=port)
    with pytest.raises((SpecForbidden, ProviderUnavailable)):
        await resolve(provider, f"{git_web.url}/old/name")
    server.close()
    assert connections == []


async def test_git_goes_round_in_no_circles(provider, git_web):
    git_web.moved["/a/b"] = "/c/d"
    git_web.moved["/c/d"] = "/a/b"
    with pytest.raises(ProviderUnavailable, match="redirects too often"):
        await resolve(provider, f"{git_web.url}/a/b")


async def test_a_redirect_elsewhere_than_to_a_repository(provider, git_web):
    git_web.moved["/a/b"] = "/login?next="
    with pytest.raises(ProviderUnavailable, match="as a Git server does"):
        await resolve(provider, f"{git_web.url}/a/b")


class Names:
    """A resolver; answers are given one after the other, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host, port):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def with_names(provider, *answers):
    provider._door = Door(DEFAULT_BLOCKED, ["127.0.0.1"], lookup=Names(*answers))


async def test_over_http_git_connects_to_the_checked_address(provider, git_web, sample):
    with_names(provider, ["127.0.0.1"], ["127.0.0.2"])
    url = f"http://no-such-host.invalid:{git_web.port}/org/repo"
    assert await resolve(provider, url) == sample.commits["main"]
    assert git_web.requests[0].headers["Host"] == f"no-such-host.invalid:{git_web.port}"


async def test_over_its_own_protocol_git_connects_to_the_checked_address(
    provider, git_server, sample
):
    with_names(provider, ["127.0.0.1"], ["127.0.0.2"])
    port = git_server.url.rpartition(":")[2]
    url = f"git://no-such-host.invalid:{port}/org/repo"
    assert await resolve(provider, url) == sample.commits["main"]
    with_names(provider, ["127.0.0.1"])
    with pytest.raises(RefNotFound, match=r"no-such-host\.invalid"):
        await resolve(provider, f"git://no-such-host.invalid:{port}/org/absent", "other")


async def test_a_server_with_several_names_is_told_which_one_is_meant(provider):
    heard = asyncio.get_running_loop().create_future()

    async def handle(reader, writer):
        heard.set_result(await reader.readexactly(int(await reader.readexactly(4), 16) - 4))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with_names(provider, ["127.0.0.1"])
    with pytest.raises(ProviderUnavailable):
        await resolve(provider, f"git://git.example.org:{port}/x")
    server.close()
    assert f"\0host=git.example.org:{port}\0".encode() in await heard


@pytest.mark.parametrize("scheme", PROTOCOLS)
async def test_a_name_with_one_private_address_is_refused(provider, scheme):
    server, port, connections = await counted_server()
    with_names(provider, ["192.0.2.1", "127.0.0.2"])
    with pytest.raises(SpecForbidden):
        await resolve(provider, f"{scheme}://git.example.org:{port}/x")
    server.close()
    assert connections == []


async def test_a_token_goes_to_its_host_alone(git_tls, git_web, sample, tmp_path):
    """A redirect to another host gets none, nor does a command line or a variable."""
    (tmp_path / "token").write_text("secret")
    git_tls.login = "oauth2:secret"
    git_tls.moved["/org/moved.git"] = f"{git_tls.url.replace('localhost', '127.0.0.1')}/org/repo"
    git_tls.apis["/api/v4"] = GitLab(sample)
    provider = GitLabProvider(
        hosts=[git_tls.host],
        ca_file=git_tls.ca_file,
        access_token_file=str(tmp_path / "token"),
        allowed_networks=["127.0.0.1", "::1"],
    )
    spec = provider.from_url(f"{git_tls.url}/org/repo/-/merge_requests/12/diffs", None)
    assert spec.ref == "refs/merge-requests/12/head"
    assert (await provider.resolve(spec)).commit == sample.request
    assert git_tls.requests[0].headers["Authorization"] == basic("oauth2:secret")
    git_tls.requests.clear()
    with pytest.raises(RefNotFound, match="is private"):
        await provider.resolve(
            provider.from_url(f"{git_tls.url}/org/moved/-/merge_requests/12", None)
        )
    await provider.close()
    sent = {r.headers["Host"]: r.headers.get("Authorization") for r in git_tls.requests}
    assert sent[f"127.0.0.1:{git_tls.port}"] is None


async def test_git_reads_no_configuration_and_starts_no_helper(tmp_path, monkeypatch, git_web):
    """Not the user's, not the folder's above, no credential helper, no rewriting of addresses."""
    marker = tmp_path / "ran"
    (tmp_path / ".gitconfig").write_text(
        f'[credential]\n helper = "!touch {marker}"\n'
        f'[url "ext::touch {marker}"]\n insteadOf = http\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_ASKPASS", f"/usr/bin/touch {marker}")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "credential.helper")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"!touch {marker}")
    git_web.login = "a:b"
    provider = GitProvider(allowed_networks=["127.0.0.1"], allowed_protocols=["http"])
    with pytest.raises(RefNotFound, match="is private"):
        await resolve(provider, f"{git_web.url}/org/repo")
    with git_folder(["http"], 5) as folder:
        assert "insteadof" not in (await folder.run("config", "--list")).lower()
    assert not marker.exists()


@pytest.mark.parametrize(
    "answer", ["http", "endless", "alternates"], ids=["no git", "endless", "dumb server"]
)
async def test_servers_that_are_none(provider, git_web, answer, monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.providers.gitcommand._OUTPUT_LIMIT", 200_000)
    server, port, connections = await counted_server()
    line = f"{'0' * 39}1\trefs/heads/"
    bodies = {
        "http": "<html>hello</html>",
        "endless": "".join(f"{line}main{number}\n" for number in range(20_000)),
        "alternates": f"{line}main\n",
    }

    class Dumb:
        async def handle(self, request):
            if request.path.endswith("/objects/info/http-alternates"):
                return web.Response(text=f"http://127.0.0.2:{port}/x/objects\n")
            if request.path.endswith("/info/refs"):
                return web.Response(text=bodies[answer])
            return web.Response(status=404)

    git_web.apis["/evil"] = Dumb()
    with pytest.raises((ProviderUnavailable, RefNotFound)):
        await resolve(provider, f"{git_web.url}/evil/repo", "abcdef1")
    server.close()
    assert connections == []
