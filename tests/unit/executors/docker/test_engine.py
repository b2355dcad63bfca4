"""The client, over a real socket and the real library, and an engine that hangs."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import importlib.util
import json
import socket
import socketserver
import threading

import pytest
from traitlets import TraitError

from jupyterhub_imagebuilder.executors.docker import engine as module
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError


class SlowEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers what it is told to, and hangs from there on."""

    daemon_threads = True
    news: tuple[dict, ...] = ()

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.path = path
        self.hanging: list[socket.socket] = []
        self.asked = threading.Event()
        self.left = threading.Event()  #: a client went away from what hung
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        for connection in self.hanging:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        if self.server.news:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        for item in self.server.news:
            data = json.dumps(item).encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
        self.server.hanging.append(self.connection)
        self.server.asked.set()
        if not self.connection.recv(1):
            self.server.left.set()
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def slow(tmp_path):
    found = SlowEngine(str(tmp_path / "engine.sock"))
    yield found
    found.stop()
    for thread in threading.enumerate():
        if thread.name == "engine stream":
            thread.join(5)


@pytest.fixture
async def engine(slow):
    found = Engine(f"unix://{slow.path}")
    yield found
    await found.close()


NEWS = {"status": "Downloading", "id": "a"}


@pytest.mark.parametrize("news", [(), (NEWS,)])
async def test_a_pull_that_stands_still_does_not_last_for_ever(slow, engine, monkeypatch, news):
    monkeypatch.setattr(module, "_PULL_TIMEOUT", 0.2)
    slow.news = news

    async with asyncio.timeout(5):
        pull = engine.pull("registry.example.org/image:1")
        assert [await anext(pull) for _ in news] == [*news]
        with pytest.raises(EngineError, match="does not answer"):
            await anext(pull)


async def test_a_pull_that_nobody_wants_any_more_is_broken_off(slow, engine):
    slow.news = (NEWS,)
    async with asyncio.timeout(3):
        pull = engine.pull("registry.example.org/image:1")
        assert await anext(pull) == NEWS
        await pull.aclose()

    assert await asyncio.to_thread(slow.left.wait, 3)


async def test_a_pull_that_says_nothing_holds_nobody_up(slow, engine):
    pull = asyncio.ensure_future(anext(engine.pull("registry.example.org/image:1")))
    assert await asyncio.to_thread(slow.asked.wait, 3)

    pull.cancel()
    async with asyncio.timeout(3):
        await asyncio.gather(pull, return_exceptions=True)

    assert pull.cancelled()


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TraitError, match=r"jupyterhub-imagebuilder\[docker\]"):
        Engine()
