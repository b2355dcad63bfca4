"""A container engine's API with Python's own library alone.

The demo is removed where its environment is gone already, so that docker's library cannot be used.
Source of the format: Docker Engine API 1.41 (Docker 20.10) and later.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

#: Seconds for an answer, and for the next piece of one.
_TIMEOUT = 30.0
_JSON = "application/json"


class EngineError(Exception):
    """The engine refused, or does not answer.

    :param code: HTTP's; None where there was no answer.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class _Unix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Api:
    """One engine; each call is a connection of its own.

    Every method raises :class:`EngineError` and nothing else.

    :param host: ``unix:///path`` or ``tcp://host:port``, as ``$DOCKER_HOST``.
    """

    def __init__(self, host: str) -> None:
        self.host = host

    def answers(self, timeout: float = 3.0) -> bool:
        """Whether there is an engine that this user may use."""
        try:
            self._open("GET", "/_ping", timeout=timeout)
        except EngineError:
            return False
        return True

    def get(self, path: str, **query: object) -> Any:
        """What the engine says of a thing, or of many."""
        return json.loads(self._open("GET", path, [*query.items()]).read())

    def has(self, path: str) -> bool:
        """Whether the engine knows a thing."""
        try:
            self._open("GET", path)
        except EngineError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def delete(self, path: str, **query: object) -> bool:
        """Remove a thing; False where it is not there, or is needed."""
        try:
            self._open("DELETE", path, [*query.items()])
        except EngineError as error:
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                return False
            raise
        return True

    def work(
        self,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        timeout: float,
        query: Sequence[tuple[str, object]],
    ) -> Iterator[dict[str, Any]]:
        """Ask for something that takes long, and tell its news: a build, a pull, an import.

        :param body: a tar archive, or None.
        :param timeout: seconds of silence.
        :param query: a name may come more than once.
        """
        answer = self._open("POST", path, query, body, timeout)
        try:
            for line in answer:
                item = json.loads(line)
                if "error" in item:
                    raise EngineError(str(item["error"]))
                yield item
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineError(f"the engine's answer ended: {error}") from error

    def _open(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, object]] = (),
        body: bytes | Iterable[bytes] | None = None,
        timeout: float = _TIMEOUT,
    ) -> http.client.HTTPResponse:
        target = quote(path) + ("?" + urlencode(_plain(query)) if query else "")
        kind = _JSON if body is None else "application/x-tar"
        headers = {"Content-Type": kind, "Connection": "close"}
        try:
            connection = self._connection(timeout)
            connection.request(method, target, body, headers, encode_chunked=False)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"the engine at {self.host} does not answer: {error}") from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise EngineError(_words(answer.read()), answer.status)
        return answer

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self.host.startswith("unix://"):
            return _Unix(self.host.removeprefix("unix://"), timeout)
        parts = urlsplit(self.host)
        try:
            port = parts.port
        except ValueError as error:
            raise EngineError(f"{self.host} is no engine's address") from error
        if parts.scheme not in ("tcp", "http") or not parts.hostname:
            raise EngineError(f"{self.host} is no engine's address that the demo can use")
        return http.client.HTTPConnection(parts.hostname, port or 2375, timeout=timeout)


def _plain(query: Sequence[tuple[str, object]]) -> list[tuple[str, str]]:
    """Words as they are; lists and the like as JSON, as the API takes them."""
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in query]


def _words(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")[:200]
