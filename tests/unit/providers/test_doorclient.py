"""The client behind a proxy; see test_hostapi.py for the rest."""

from __future__ import annotations

import pytest
from aiohttp import web
from yarl import URL

from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.door import Door
from jupyterhub_imagebuilder.providers.doorclient import DoorClient
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED


@pytest.fixture
async def proxy(monkeypatch):
    """Answers for everyone; stands at a blocked address, as proxies do."""
    seen = []

    async def handle(request):
        seen.append(str(request.url))
        target = request.query.get("to")
        headers = {"Location": target} if target else {}
        return web.Response(status=302 if target else 200, headers=headers, text="by proxy")

    server = web.Server(handle)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("no_proxy", ".direct.example")
    yield seen
    await runner.cleanup()


class Names:
    """A resolver that knows one name."""

    def __init__(self) -> None:
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        if host == "inside.example":
            return ["10.0.0.1"]
        raise OSError("no such host")


@pytest.fixture
async def client():
    made = DoorClient(Door(DEFAULT_BLOCKED, lookup=Names()), 5)
    yield made
    await made.close()


async def get(client, url):
    return await client.get(URL(url), lambda _: {})


async def test_a_proxy_reaches_hosts_that_are_not_known_here(client, proxy):
    assert (await get(client, "http://git.example.org/a")).body == b"by proxy"
    assert proxy == ["http://git.example.org/a"]


@pytest.mark.parametrize(
    "url", ["http://inside.example/", "http://10.0.0.1/", "http://169.254.169.254/x"]
)
async def test_a_proxy_is_not_asked_for_what_is_blocked(client, proxy, url):
    with pytest.raises(SpecForbidden):
        await get(client, url)
    assert proxy == []
    with pytest.raises(SpecForbidden):
        await get(client, f"http://git.example.org/a?to={url}")
    assert len(proxy) == 1


async def test_what_needs_no_proxy_goes_through_the_door(client, proxy):
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await get(client, "http://a.direct.example/")
    assert proxy == []


async def test_closing_twice_is_fine_and_later_requests_open_anew(client, proxy):
    await get(client, "http://git.example.org/a")
    await client.close()
    await client.close()
    assert (await get(client, "http://git.example.org/a")).status == 200
