"""A viewer of one build, who comes back where they were when the service does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.integration.cluster.polling import until
from tests.integration.cluster.web import Api

Json = dict[str, Any]


@dataclass
class Viewer:
    """Reads a build's events in a thread of its own until the last one.

    ``told`` holds them in their order, with the id of those that have one.
    """

    api: Api
    build: str
    image: str  #: as it was called when the build began
    told: list[tuple[str | None, Json]] = field(default_factory=list)
    last_at: float = 0.0  #: when the last event came, by the monotonic clock
    _thread: threading.Thread = field(init=False)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        """The log as it was told."""
        return [event["text"] for _, event in self.told if event["type"] == "log"]

    @property
    def gaps(self) -> list[str]:
        """What was told of lines that are missing."""
        return [event["message"] for _, event in self.told if event["type"] == "gap"]

    @property
    def ids(self) -> list[str]:
        """The ids of the lines, in the order in which they were told."""
        return [line for line, _ in self.told if line is not None]

    def sees(self, text: str, seconds: float = 60) -> None:
        """Return when a line, or the message of a phase, has this text in it."""
        until(
            lambda: any(
                text in (event.get("text") or event.get("message") or "") for _, event in self.told
            ),
            what=f"{text!r} in the events of {self.build} ({self.told[-3:]})",
            seconds=seconds,
            every=0.05,
        )

    def reaches(self, phase: str, seconds: float = 60) -> None:
        """Return when the build is in this phase."""
        until(
            lambda: any(
                event.get("phase") == phase for _, event in self.told if event["type"] == "phase"
            ),
            what=f"phase {phase} of {self.build}",
            seconds=seconds,
            every=0.05,
        )

    def end(self, seconds: float) -> Json:
        """The terminal event, which has to come within so many seconds."""
        self._thread.join(seconds)
        last = self.told[-1][1] if self.told else None
        assert not self._thread.is_alive(), f"no end within {seconds} s; last was {last}"
        assert last is not None
        assert _terminal(last), last
        return last

    def stop(self) -> None:
        """Look away."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for line_id, event in self._stream():
                    if self._stopped.is_set():
                        return
                    # a stream that is opened anew says again in which phase the build is
                    if not (line_id is None and self.told and event == self.told[-1][1]):
                        self.told.append((line_id, event))
                    self.last_at = time.monotonic()
                    if _terminal(event):
                        return
            except requests.RequestException:
                pass
            self._stopped.wait(0.2)

    def _stream(self) -> Iterator[tuple[str | None, Json]]:
        headers = {"Authorization": f"Bearer {self.api.token}", "Accept": "text/event-stream"}
        if self.ids:
            headers["Last-Event-ID"] = self.ids[-1]
        url = f"{self.api.url}/api/builds/{self.build}/events"
        with requests.get(url, headers=headers, stream=True, timeout=(5, 40)) as answer:
            answer.raise_for_status()
            line_id = None
            for line in answer.iter_lines(chunk_size=1):
                name, _, value = line.decode().partition(":")
                if name == "id":
                    line_id = value.strip()
                elif name == "data":
                    yield line_id, json.loads(value)
                elif not line:
                    line_id = None


def _terminal(event: Json) -> bool:
    return event["type"] == "phase" and event["phase"] in {"built", "failed", "cancelled"}
