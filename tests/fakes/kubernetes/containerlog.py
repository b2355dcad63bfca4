"""A container's log as the kubelet keeps it and gives it out with timestamps.

Source of the format: the kubelet's ``timestamps=true``: an RFC 3339 time with nine decimals, a
space, and the bytes as they were written.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

#: The kubelet begins a new file behind so many bytes, and gives out the newest one alone.
FILE_LIMIT = 10 * 2**20


class ContainerLog:
    """What one container wrote.

    :param now: the node's clock, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.written = bytearray()  #: everything, as the container wrote it
        self.closed = False  #: the container has ended
        self.limit = FILE_LIMIT
        self._now = now
        self._data = bytearray()  # everything, with times
        self._file = 0  # where the newest file begins
        self._in_line = False
        self._last = ("", 0)  # the second of the last record, and how many it has had
        self._news = asyncio.Event()

    @property
    def lines(self) -> list[str]:
        """The complete lines, and the one that has begun, without their ends."""
        *lines, rest = self.written.decode(errors="replace").split("\n")
        return [*lines, rest] if rest else lines

    @property
    def end(self) -> int:
        return len(self._data)

    def write(self, data: bytes) -> None:
        """The container writes."""
        self.written += data
        for part in _split(data):
            if not self._in_line:
                self._data += self._time() + b" "
            self._data += part
            self._in_line = not part.endswith(b"\n")
            if not self._in_line and self.end - self._file > self.limit:
                self.rotate()
        self._wake()

    def rotate(self) -> None:
        """What is there is moved away; streams that are open have it all the same."""
        self._file = self.end

    def close(self) -> None:
        """The container has ended."""
        self.closed = True
        self._wake()

    def start(self, tail: int | None) -> int:
        """Where the last ``tail`` lines begin; the whole file begins where None do."""
        if tail is None:
            return self._file
        position = self.end - (not self._in_line and self.end > self._file)
        for _ in range(tail):
            position = self._data.rfind(b"\n", self._file, position)
            if position < 0:
                return self._file
        return position + 1

    def read(self, position: int, size: int) -> bytes:
        """At most so many bytes from a position on."""
        return bytes(self._data[position : position + size])

    async def news(self) -> None:
        """Wait until there is more, or an end."""
        await self._news.wait()

    def _time(self) -> bytes:
        moment = dt.datetime.fromtimestamp(self._now(), dt.UTC)
        text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
        last, count = self._last
        count = count + 1 if text == last else 0
        self._last = (text, count)
        # a clock is not fine enough for every record to have a time of its own
        return f"{text}{count // 2 % 1000:03d}Z".encode()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _split(data: bytes) -> list[bytes]:
    """Lines with their ends; a carriage return ends none."""
    *lines, rest = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])
