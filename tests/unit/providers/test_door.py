"""The door against resolvers that lie."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.address import read_address
from jupyterhub_imagebuilder.providers.door import Door, look_up
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED


class Liar:
    """A resolver that answers what it is told, one after the other; the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such host")
        return answer


@pytest.fixture
async def server():
    """Counts requests on 127.0.0.1."""
    seen = []

    async def handle(request):
        seen.append(str(request.url))
        return web.Response(text="inside")

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], seen
    await runner.cleanup()


async def fetch(door, url):
    async with (
        aiohttp.ClientSession(connector=door.connector()) as session,
        session.get(url) as response,
    ):
        return await response.text()


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["192.0.2.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]],
)
async def test_a_name_with_one_blocked_address_is_refused_before_and_at_the_connection(
    server, answers
):
    port, seen = server
    door = Door(DEFAULT_BLOCKED, lookup=Liar(answers))
    with pytest.raises(SpecForbidden, match=r"git\.example\.org .* address is blocked"):
        await door.addresses(read_address(f"https://git.example.org:{port}/x"))
    with pytest.raises(SpecForbidden):
        await fetch(door, f"http://git.example.org:{port}/x")
    assert seen == []


async def test_a_name_that_means_another_address_the_second_time(server):
    port, seen = server
    liar = Liar(["192.0.2.1"], ["127.0.0.1"])
    door = Door(DEFAULT_BLOCKED, lookup=liar)
    assert await door.addresses(read_address("https://git.example.org/x")) == ["192.0.2.1"]
    with pytest.raises(SpecForbidden):
        await fetch(door, f"http://git.example.org:{port}/")
    assert liar.asked == ["git.example.org"] * 2
    assert seen == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_literal_addresses_are_looked_at_where_nobody_resolves_them(server, host):
    port, seen = server
    with pytest.raises(SpecForbidden):
        await fetch(Door(DEFAULT_BLOCKED), f"http://{host}:{port}/")
    assert seen == []


async def test_what_is_allowed_goes_through_by_name_and_by_address(server):
    port, seen = server
    door = Door(DEFAULT_BLOCKED, ["127.0.0.1"], lookup=Liar(["127.0.0.1"]))
    assert await fetch(door, f"http://git.example.org:{port}/a") == "inside"
    assert await fetch(door, f"http://127.0.0.1:{port}/b") == "inside"
    assert len(seen) == 2


async def test_the_checked_address_is_the_one_that_is_connected_to(server):
    port, seen = server
    liar = Liar(["127.0.0.1"], ["192.0.2.1"])
    assert await fetch(Door([], lookup=liar), f"http://git.example.org:{port}/") == "inside"
    assert liar.asked == ["git.example.org"]
    assert seen == [f"http://git.example.org:{port}/"]


async def test_a_name_that_is_none():
    door = Door(DEFAULT_BLOCKED, lookup=Liar([]))
    with pytest.raises(ProviderUnavailable, match="name is not known"):
        await door.addresses(read_address("https://git.example.org/x"))
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(door, "http://git.example.org/")


async def test_behind_a_proxy_a_name_may_be_unknown_here(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    door = Door(DEFAULT_BLOCKED, lookup=Liar([]))
    assert await door.addresses(read_address("https://git.example.org/x")) == []
    with pytest.raises(ProviderUnavailable):
        await door.addresses(read_address("git://git.example.org/x"))


@pytest.mark.parametrize(
    "url",
    [
        "git://127.0.0.1/x",
        "git://127.1/x",
        "git://2130706433/x",
        "git://0x7f.1/x",
        "git://[::1]/x",
        "git://[::ffff:7f00:1]/x",
        "https://169.254.169.254/x",
        "https://0xa9fea9fe/x",
        "https://0251.0376.0251.0376/x",
        "git://0/x",
    ],
)
async def test_every_spelling_of_a_blocked_address_is_seen(url):
    address = read_address(url)
    door = Door(DEFAULT_BLOCKED)
    with pytest.raises(SpecForbidden, match="is blocked"):
        await door.addresses(address)
    with pytest.raises(SpecForbidden, match="is blocked"):
        door.check_literal(address.host)


def test_a_name_is_no_literal_address():
    Door(["0.0.0.0/0", "::/0"]).check_literal("git.example.org")


async def test_this_machine_s_resolver():
    assert await look_up("127.1", 80) == ["127.0.0.1"]
