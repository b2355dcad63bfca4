"""A small HTTP client, and the ways in which a program talks to a hub and to a server."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: Any  #: parsed, where it is JSON

    @property
    def message(self) -> str:
        """The sentence in an error."""
        return self.body["message"] if isinstance(self.body, dict) else str(self.body)


@dataclass(frozen=True)
class Api:
    """An HTTP API below ``url``, with a token."""

    url: str
    token: str

    def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        """One request; never raises for a status."""
        answer = requests.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
            allow_redirects=False,
        )
        try:
            return Answer(answer.status_code, answer.json())
        except ValueError:
            return Answer(answer.status_code, answer.text)

    def events(self, path: str, seconds: float = 100) -> Iterator[dict[str, Any]]:
        """The JSON objects of a stream of server-sent events, until it ends.

        :param seconds: after which it must have ended.
        """
        deadline = time.monotonic() + seconds
        with requests.get(
            self.url + path,
            headers={"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"},
            stream=True,
            timeout=seconds,
        ) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=1):
                if time.monotonic() > deadline:
                    message = f"{path} did not end within {seconds} s; last said: {line!r}"
                    raise TimeoutError(message)
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))


def run_python(server: Api, code: str) -> str:
    """What ``code`` prints when a kernel of the user's server runs it, errors included."""
    kernel = server("POST", "/api/kernels", {"name": "python3"})
    assert kernel.status == 201, kernel
    try:
        return asyncio.run(_execute(server, kernel.body["id"], code))
    finally:
        server("DELETE", f"/api/kernels/{kernel.body['id']}")


async def _execute(server: Api, kernel: str, code: str) -> str:
    address = server.url.replace("http", "ws", 1) + f"/api/kernels/{quote(kernel)}/channels"
    headers = {"Authorization": f"Bearer {server.token}"}
    socket = await websocket_connect(HTTPRequest(address, headers=headers, connect_timeout=30))
    request = uuid.uuid4().hex
    header = {
        "msg_id": request,
        "msg_type": "execute_request",
        "session": request,
        "username": "test",
        "version": "5.3",
    }
    message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell"}
    content = {"code": code, "silent": False}
    await socket.write_message(json.dumps(message | {"content": content, "buffers": []}))
    printed = ""
    try:
        async with asyncio.timeout(60):
            while True:
                got = json.loads(await socket.read_message())
                if got["parent_header"].get("msg_id") != request:
                    continue
                match got["msg_type"]:
                    case "stream":
                        printed += got["content"]["text"]
                    case "error":
                        printed += f"{got['content']['ename']}: {got['content']['evalue']}"
                    case "status" if got["content"]["execution_state"] == "idle":
                        return printed
    finally:
        socket.close()
