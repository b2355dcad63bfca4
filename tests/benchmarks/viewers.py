"""The load: a process of its own with any number of viewers, each a raw connection.

Started with a path as its argument; there it finds its orders as JSON, and there it leaves, beside
them, what every viewer saw.  It prints ``connected`` when all of them get events.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import random
import re
import sys
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

#: Tries to connect again, per second, of all viewers together: a crowd must not be an attack.
_AGAIN = 1000
_SEEN = re.compile(
    rb"(?:id: (\S+)\n)?data: [^\n]*?@(\d+) (\d+)@"
    rb'|"type": ?"(gap)"'
    rb'|"phase": ?"(built|ready|failed|cancelled)"'
)


@dataclass
class Seen:
    """What one viewer got."""

    #: of each line: its index, when it was written, when it came, in microseconds
    lines: array[int] = field(default_factory=lambda: array("q"))
    gaps: int = 0
    end: str = ""  #: the terminal phase, empty where none came
    ended: int = 0  #: when that was
    connections: int = 0
    asked: int = 0  #: when it asked first
    begun: int = 0  #: when the first event came
    body: bytes = b""


class Viewer(asyncio.Protocol):
    """One viewer, through as many connections as it takes."""

    def __init__(self, crowd: Crowd, request: str, seen: Seen, last: str = "") -> None:
        self.crowd, self.request, self.seen = crowd, request, seen
        self.last = last
        self._rest = b""
        self._head = True
        self._good = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen.connections += 1
        self.seen.asked = self.seen.asked or time.monotonic_ns() // 1000
        resume = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
        transport.write(f"{self.request}{resume}\r\n".encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns() // 1000
        if self._head:
            data = self._rest + data
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = data
                return
            self._head, self._rest, data = False, b"", rest
            self._good = b" 200 " in head.partition(b"\r\n")[0]
            if self._good:
                self.crowd.connected(self.seen)
        if self._good:
            self._take(self._rest + data, now)
        else:
            self.seen.body = data[:300]

    def _take(self, data: bytes, now: int) -> None:
        if not self.seen.begun:
            self.seen.begun = now
        end = 0
        for found in _SEEN.finditer(data):
            end = found.end()
            if found[2]:
                self.last = found[1].decode() if found[1] else ""
                self.seen.lines.extend((int(found[2]), int(found[3]), now))
            elif found[4]:
                self.seen.gaps += 1
            elif not self.seen.end:
                self.seen.end, self.seen.ended = found[5].decode(), now
        # a frame may come in two pieces
        self._rest = data[max(end, len(data) - 2048) :]

    def connection_lost(self, _: Exception | None) -> None:
        if self.seen.end or not self.crowd.persistent:
            self.crowd.over()
        else:
            asyncio.get_running_loop().call_later(self.crowd.pause(), self.crowd.connect, self)


class Crowd:
    """All viewers of this process."""

    def __init__(self, orders: dict) -> None:
        self.host, self.port = orders["host"], orders["port"]
        self.persistent = orders["persistent"]
        self.requests = [
            f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {orders['token']}\r\nConnection: close\r\n"
            for path in orders["paths"]
        ]
        self.seen = [Seen() for _ in self.requests]
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected: set[int] = set()
        self._over = 0
        self.done = asyncio.Event()

    async def run(self, seconds: float) -> None:
        """Watch until all streams have ended, at most so long."""
        for request, seen in zip(self.requests, self.seen, strict=True):
            self.connect(Viewer(self, request, seen))
            if len(self._tasks) >= 100:
                await asyncio.wait(self._tasks)
        try:
            await asyncio.wait_for(self.done.wait(), seconds)
        except TimeoutError:
            print("too late", flush=True)  # noqa: T201

    def pause(self) -> float:
        """Seconds until a viewer may try again."""
        return max(len(self.seen) / _AGAIN, 0.02) * random.uniform(0.5, 1.5)

    def connect(self, viewer: Viewer) -> None:
        """Connect a viewer, and again until it works."""
        task = asyncio.get_running_loop().create_task(self._connect(viewer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, viewer: Viewer) -> None:
        next_one = Viewer(self, viewer.request, viewer.seen, viewer.last)
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.create_connection(lambda: next_one, self.host, self.port)
            except OSError:
                await asyncio.sleep(self.pause())
            else:
                return

    def connected(self, seen: Seen) -> None:
        """Count a viewer that gets events; tells when that is all of them."""
        before = len(self._connected)
        self._connected.add(id(seen))
        if before < len(self._connected) == len(self.seen):
            print("connected", flush=True)  # noqa: T201

    def over(self) -> None:
        """Count a stream that has ended."""
        self._over += 1
        if self._over == len(self.seen):
            self.done.set()


def main() -> None:
    orders_file = Path(sys.argv[1])
    orders = json.loads(orders_file.read_text())
    os.sched_setaffinity(0, {orders["core"]})

    async def watch() -> None:
        crowd = Crowd(orders)
        await crowd.run(orders["seconds"])
        orders_file.with_suffix(".seen").write_bytes(
            pickle.dumps([vars(seen) for seen in crowd.seen])
        )

    asyncio.run(watch())


if __name__ == "__main__":
    main()
