"""What a test wants to know about the inside of a hub, and how the hub feels from outside."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import requests
from tornado.web import RequestHandler

_CONNECTION = "HTTP1ServerConnection._server_request_loop"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Inspect(RequestHandler):
    """A page of the hub: its tasks, its failure count, its descriptors and its memory.

    What comes and goes with a connection to the hub is counted apart: the proxy keeps some.
    """

    def get(self):
        tasks = Counter(map(_name, asyncio.all_tasks()))
        connections = tasks.pop(_CONNECTION, 0)
        open_files = len(list(Path("/proc/self/fd").iterdir()))
        self.write(
            {
                "tasks": tasks,
                "failures": self.settings.get("failure_count", 0),
                "connections": connections,
                "descriptors": open_files - connections,
                "megabytes": int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE >> 20,
            }
        )


def _name(task):
    work = task.get_coro()  # a step of a generator has no name
    return getattr(work, "__qualname__", type(work).__name__)


class Pulse:
    """Asks the hub for something small all the time, and takes how long it took."""

    def __init__(self, hub):
        self._url = f"{hub.url}/hub/api"
        self._stop = threading.Event()
        self._moment = "idle"
        self.taken = {}

    @contextmanager
    def beating(self):
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def at(self, moment):
        """Say what happens from now on."""
        self._moment = moment

    def figures(self):
        """A line per moment: how many answers, p50, p99 and the longest, in milliseconds."""
        for moment, taken in self.taken.items():
            ordered = sorted(taken)
            p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
            yield (
                f"{moment}: {len(taken)} answers, p50 {p50 * 1000:.0f} ms, "
                f"p99 {p99 * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms"
            )

    def _run(self):
        with requests.Session() as session:
            while not self._stop.wait(0.02):
                begin, moment = time.monotonic(), self._moment
                assert session.get(self._url, timeout=60).status_code == 200
                self.taken.setdefault(moment, []).append(time.monotonic() - begin)


class ProgressPage:
    """An open progress page: every line that it was told."""

    def __init__(self, hub, name):
        self._hub, self._name = hub, name
        self.lines = []
        self.last = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        path = f"users/{self._name}/server/progress"
        with self._hub.api("GET", path, stream=True) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: "):
                    self.last = json.loads(line.removeprefix(b"data: "))
                    self.lines += self.last.get("message", "").split("\n")

    def close(self):
        self._thread.join(30)
        assert not self._thread.is_alive(), f"the page of {self._name} did not end"
