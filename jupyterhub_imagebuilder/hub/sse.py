"""Server-sent events, read piece by piece, into our events.

Source of the format: the WHATWG HTML standard, "Server-sent events"; the data is described in
``docs/reference/rest-api.md``.
"""

from __future__ import annotations

import codecs
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged, parse_event_id
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import Reason

log = logging.getLogger(__name__)

#: Characters of one line of a body: a build may print a line of any length, and the hub has other
#: things to do than to collect and read it.
_LINE_LIMIT: Final = 256 * 1024


@dataclass(slots=True)
class _Frame:
    id: str = ""
    data: list[str] = field(default_factory=list)


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event, None]:
    """The events in a body; comments, unknown types and broken frames are left out."""
    frame = _Frame()
    async for line in _lines(chunks):
        if not line:
            event = _event(frame)
            frame = _Frame()
            if event is not None:
                yield event
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            frame.data.append(value)
        elif name == "id":
            frame.id = value


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    async for chunk in chunks:
        first, *lines = decoder.decode(chunk).split("\n")
        # one that is too long keeps its beginning, which is no JSON any more
        rest += first[: max(0, _LINE_LIMIT - len(rest))]
        for line in lines:
            yield rest.removesuffix("\r")
            rest = line[:_LINE_LIMIT]


def _event(frame: _Frame) -> Event | None:
    if not frame.data:
        return None
    if len(frame.data[0]) >= _LINE_LIMIT - len("data: "):
        source, index = parse_event_id(frame.id) or ("", 0)
        return LogLine(source, index, "… this line is too long to be shown here")
    try:
        data: dict[str, Any] = json.loads("\n".join(frame.data))
        return _from_json(frame.id, data)
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("The image builder sent an event that cannot be read")
        return None


def _from_json(event_id: str, data: dict[str, Any]) -> Event | None:
    match data["type"]:
        case "log":
            source, index = parse_event_id(event_id) or ("", 0)
            phase = data.get("phase")
            return LogLine(source, index, str(data["text"]), Phase(phase) if phase else None)
        case "phase":
            return PhaseChanged(
                Phase(data["phase"]),
                str(data.get("message") or ""),
                reason_of(data.get("reason")),
                data.get("image"),
                data.get("digest"),
            )
        case "gap":
            return Gap(str(data.get("message") or ""))
    return None


def reason_of(code: str | None) -> Reason | None:
    """The reason of that code; one that a newer service knows and we do not is ``internal``."""
    if not code:
        return None
    try:
        return Reason(code)
    except ValueError:
        return Reason.INTERNAL
