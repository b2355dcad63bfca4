"""The client of web APIs against a server that means no good."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from multidict import CIMultiDict
from yarl import URL

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecForbidden
from jupyterhub_imagebuilder.providers import hostapi
from jupyterhub_imagebuilder.providers.door import Door
from jupyterhub_imagebuilder.providers.doorclient import Answer, DoorClient
from jupyterhub_imagebuilder.providers.hostapi import HostApi, explain, minutes_to_wait
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED

NOW = 1_800_000_000.0


class Server:
    """Sends bytes as they are; remembers the heads of requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.endless: bytes | None = None
        self.pause = 0.0
        self.tasks: list[asyncio.Task[None]] = []
        self.port = 0

    def put(self, path: str, status: str = "200 OK", body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answers[path] = "\r\n".join([*lines, "", ""]).encode() + body

    async def handle(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            path = head.split()[1]
            writer.write(self.answers.get(path, b"HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n"))
            while self.endless is not None:
                writer.write(self.endless)
                await writer.drain()
                await asyncio.sleep(self.pause)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def headers(self, index: int = -1) -> CIMultiDict:
        lines = self.requests[index].split("\r\n")[1:]
        return CIMultiDict(line.split(": ", 1) for line in lines if line)


@pytest.fixture
async def server():
    made = Server()
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}"
    yield made
    made.endless = None
    listening.close()
    await asyncio.wait(made.tasks or [asyncio.create_task(asyncio.sleep(0))])


@pytest.fixture
async def client():
    made = DoorClient(Door(DEFAULT_BLOCKED, ["127.0.0.1"]), 5)
    yield made
    await made.close()


@pytest.fixture
def api(client, server):
    return HostApi(client, server.url, token=lambda: "secret", now=lambda: NOW)


async def test_an_answer(api, server):
    server.put("/a/b%2Fc?d=e", body=b'{"x": 1}', Content_Type="text/html")
    assert await api.get_json("a/b%2Fc?d=e") == {"x": 1}
    sent = server.headers()
    assert sent["Authorization"] == "Bearer secret"
    assert sent["Accept"] == "application/json"
    assert sent["Accept-Encoding"] == "identity"
    assert sent["User-Agent"].startswith("jupyterhub-imagebuilder/")


async def test_an_answer_that_did_not_change_is_not_sent_again(api, server):
    server.put("/a", body=b"[1]", ETag='"one"')
    assert await api.get_json("/a") == [1]
    server.put("/a", "304 Not Modified", ETag='"one"')
    assert await api.get_json("/a") == [1]
    assert server.headers()["If-None-Match"] == '"one"'
    server.put("/a", body=b"[2]")
    assert await api.get_json("/a", etag=False) == [2]
    assert "If-None-Match" not in server.headers()


async def test_what_is_remembered_is_bounded(api, server, monkeypatch):
    monkeypatch.setattr(hostapi, "REMEMBERED", 2)
    for path in ("/a", "/b", "/c"):
        server.put(path, body=b"1", ETag='"x"')
        await api.get(path)
    server.put("/d", body=b"1" * 40000, ETag='"x"')
    await api.get("/d")
    assert [key[0][-2:] for key in api._known] == ["/b", "/c"]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.2]:{port}/",
        "http://2130706434:{port}/",
        "http://017700000002:{port}/",
        "http://0x7f.2:{port}/",
        "//10.0.0.1/x",
        "http://me:pw@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "git://127.0.0.1/x",
        "gopher://127.0.0.1/x",
    ],
)
async def test_redirects_go_through_the_door(api, server, target):
    server.put("/a", "302 Found", Location=target.format(port=server.port))
    with pytest.raises(SpecForbidden):
        await api.get("/a")
    assert len(server.requests) == 1


async def test_redirects_end(api, server):
    server.put("/a", "301 Moved", Location="/b")
    server.put("/b", "307 Moved", Location="/a")
    with pytest.raises(ProviderUnavailable, match="redirects too often"):
        await api.get("/a")
    assert len(server.requests) == 6


async def test_a_redirect_can_be_the_answer(api, server):
    server.put("/a", "302 Found", Location="https://elsewhere.example/records/12")
    answer = await api.get("/a", redirects=0)
    assert (answer.status, answer.headers["location"]) == (
        302,
        "https://elsewhere.example/records/12",
    )


@pytest.mark.parametrize("target", ["http://[bad", "http://"])
async def test_a_redirect_to_nowhere(api, server, target):
    server.put("/a", "302 Found", Location=target)
    with pytest.raises((ProviderUnavailable, SpecForbidden)):
        await api.get("/a")


async def test_the_token_stays_at_home(api, server, client):
    other = Server()
    listening = await asyncio.start_server(other.handle, "127.0.0.1", 0)
    other.port = listening.sockets[0].getsockname()[1]
    other.put("/b", body=b"1")
    server.put("/a", "302 Found", Location=f"http://127.0.0.1:{other.port}/b")
    answer = await api.get("/a")
    assert (answer.url.port, answer.body) == (other.port, b"1")
    assert server.headers()["Authorization"] == "Bearer secret"
    assert "Authorization" not in other.headers()
    listening.close()


async def test_an_endless_body_is_cut(api, server):
    server.answers["/a"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    server.endless = b"x" * 65536
    with pytest.raises(ProviderUnavailable, match="more than an answer may hold"):
        await api.get("/a")


async def test_a_body_that_calls_itself_long_is_not_waited_for(api, server):
    server.answers["/a"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    server.endless = b"x" * 65536
    with pytest.raises(ProviderUnavailable, match="more than an answer may hold"):
        await api.get("/a")


async def test_endless_headers_are_cut(api, server):
    server.answers["/a"] = b"HTTP/1.1 200 OK\r\n"
    server.endless = b"X-A: " + b"y" * 1000 + b"\r\n"
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await api.get("/a")


async def test_a_slow_drip_ends_with_the_time(server):
    client = DoorClient(Door([]), 0.3)
    server.answers["/a"] = b"HTTP/1.1 200 OK\r\n\r\n"
    server.endless, server.pause = b"x", 0.01
    with pytest.raises(ProviderUnavailable, match=r"within 0\.3 seconds"):
        await HostApi(client, server.url).get("/a")
    await client.close()


async def test_a_packed_body_is_not_unpacked(api, server):
    bomb = gzip.compress(b"0" * 10_000_000)
    server.put("/a", body=bomb, Content_Encoding="gzip")
    with pytest.raises(ProviderUnavailable, match="packed"):
        await api.get("/a")


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff", b"[" * 500000, b"9" * 5000])
async def test_what_is_no_json(api, server, body):
    server.put("/a", body=body, Content_Type="application/json")
    with pytest.raises(ProviderUnavailable, match="cannot be read"):
        await api.get_json("/a")


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nbad\x00: \r\n\r\n"]
)
async def test_what_is_no_http(api, server, answer):
    server.answers["/a"] = answer
    with pytest.raises(ProviderUnavailable, match="does not answer"):
        await api.get("/a")


@pytest.mark.parametrize("base", ["nonsense", "ftp://127.0.0.1", "http://127.0.0.1:1"])
async def test_a_base_that_is_none(client, base):
    with pytest.raises((ProviderUnavailable, SpecForbidden)):
        await HostApi(client, base).get("/a")


async def test_statuses_that_the_caller_explains(api, server):
    server.put("/a", "422 No", body=b'{"message": "m"}')
    answer = await api.get("/a", passing={422})
    assert (answer.status, json.loads(answer.body)) == (422, {"message": "m"})
    with pytest.raises(ProviderUnavailable, match="error 422"):
        await api.get("/a")


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({"retry-after": "60"}, 1),
        ({"Retry-After": "61"}, 2),
        ({"X-RateLimit-Reset": str(int(NOW) + 1800)}, 30),
        ({"X-RateLimit-Reset": str(int(NOW) - 5)}, 1),
        ({"RateLimit-Reset": str(int(NOW) + 600)}, 10),
        ({"RateLimit-Reset": "600"}, 10),
        ({"Retry-After": "300", "X-RateLimit-Reset": str(int(NOW) + 1800)}, 5),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1),
        ({"Retry-After": "Fri, 15 Jan 2027 08:10:00 GMT"}, 10),
        ({"Retry-After": "9" * 400}, 1),
        ({"Retry-After": "999999999"}, 1440),
        ({"Retry-After": "never"}, 1),
        ({}, 1),
    ],
)
def test_minutes_to_wait(headers, minutes):
    assert minutes_to_wait(CIMultiDict(headers), NOW) == minutes


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "words"),
    [
        (401, {}, "Bad credentials", ProviderUnavailable, "refuses the token"),
        (403, {"X-RateLimit-Remaining": "0"}, "", ProviderUnavailable, "again in 1 minute."),
        (429, {"RateLimit-Remaining": "0"}, "", ProviderUnavailable, "again in 1 minute."),
        (403, {"Retry-After": "600"}, "", ProviderUnavailable, "again in 10 minutes."),
        (403, {}, "You have exceeded a secondary rate limit", ProviderUnavailable, "1 minute."),
        (429, {}, "", ProviderUnavailable, "1 minute."),
        (403, {"X-RateLimit-Remaining": "9"}, "Blocked", RefNotFound, "is private"),
        (404, {}, "", RefNotFound, "The record 12 does not exist or is private."),
        (410, {}, "", RefNotFound, "does not exist"),
        (451, {}, "", RefNotFound, "does not exist or is private"),
        (500, {}, "", ProviderUnavailable, "error 500"),
        (418, {}, "", ProviderUnavailable, "error 418"),
        (304, {}, "", ProviderUnavailable, "error 304"),
    ],
)
def test_what_answers_mean(status, headers, body, kind, words):
    answer = Answer(status, CIMultiDict(headers), body.encode(), URL("https://h.example/x"))
    error = explain(answer, NOW, what="The record 12", token_sent=True)
    assert type(error) is kind
    assert words in error.message


def test_without_a_token_401_means_private():
    answer = Answer(401, CIMultiDict(), b"", URL("https://h.example/x"))
    assert isinstance(explain(answer, NOW), RefNotFound)
