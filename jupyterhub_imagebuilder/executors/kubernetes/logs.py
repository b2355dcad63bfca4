"""One container's log, record by record, from its beginning to its end, over any number of streams.

The end of a stream is not the end of the log: the container's own end is.  A stream that broke
is opened again from the beginning and what was delivered is skipped: by count while the first
record is still the same, by time once the kubelet has rotated the file.  Both are exact, as the
build pod writes one stream alone, whose times never run backwards.

Source of the format: the kubelet's ``timestamps=true``: an RFC 3339 time with nine decimals, a
space, and the bytes as they were written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from http import HTTPStatus
from typing import NamedTuple

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.executors.kubernetes.waiting import wait_for

LOGGER = logging.getLogger(__name__)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$")
_ATTEMPTS_AT_THE_END = 5
ROTATED = "Some lines of the log are missing here: the node had moved them away already."
UNREADABLE = "The rest of the log could not be read."

#: Opens the log: ``(follow, tail)`` to chunks of bytes; raises ApiError.
OpenLog = Callable[[bool, int | None], AsyncGenerator[bytes, None]]


class Record(NamedTuple):
    """One line as the kubelet keeps it."""

    time: str
    text: str


class LogReader:
    """Reads one container's log once.

    :param over: set when the container has ended (or is gone): nothing will be written any more.
    """

    def __init__(self, open_log: OpenLog, over: asyncio.Event, clock: Clock) -> None:
        self._open_log = open_log
        self._over = over
        self._clock = clock
        self._first: Record | None = None
        self._last: Record | None = None
        self._position = 0  # records of the present file that were delivered

    async def records(self) -> AsyncGenerator[Record | Gap, None]:
        """Everything that the container wrote, in order.

        :raises ApiError: 403, the log may not be read; 404, there is no such pod.
        """
        failures = 0
        while True:
            finished = self._over.is_set()
            try:
                async with contextlib.aclosing(self._attempt(follow=not finished)) as found:
                    async for item in found:
                        failures = 0
                        yield item
            except ApiError as error:
                if error.code in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                    raise
                failures += 1
                LOGGER.debug("A log's stream ended early: %s", error)
                if finished and failures >= _ATTEMPTS_AT_THE_END:
                    yield Gap(UNREADABLE)
                    return
                await self._clock.sleep(min(0.25 * 2 ** min(failures, 6), 5))
                continue
            if finished:
                return
            # a stream ends shortly before the watch tells that the container has
            await wait_for(self._over, 5, self._clock)
            if self._over.is_set() and await self._complete():
                return

    async def _attempt(self, *, follow: bool) -> AsyncGenerator[Record | Gap, None]:
        index = 0
        rotated = False
        async with contextlib.aclosing(
            parse(self._open_log(follow, None), unfinished=not follow)
        ) as found:
            async for record in found:
                if index == 0:
                    rotated = self._first is not None and record != self._first
                    if rotated and self._last is not None and record.time > self._last.time:
                        yield Gap(ROTATED)
                    self._first = record
                index += 1
                if self._delivered(record, index, rotated=rotated):
                    continue
                self._position, self._last = index, record
                yield record

    def _delivered(self, record: Record, index: int, *, rotated: bool) -> bool:
        if rotated:
            return self._last is not None and record.time <= self._last.time
        return index <= self._position

    async def _complete(self) -> bool:
        """Whether the log's last record is the last one that was delivered."""
        try:
            async with contextlib.aclosing(parse(self._open_log(False, 1))) as found:  # noqa: FBT003
                last = [record async for record in found]
        except ApiError:
            return False
        return last[-1:] == ([self._last] if self._last else [])


async def parse(
    chunks: AsyncIterator[bytes], *, unfinished: bool = True
) -> AsyncGenerator[Record, None]:
    """Split a stream into records; bytes that are no UTF-8 become U+FFFD.

    :param unfinished: whether a last line without its end counts: where a stream may have been
        cut in a line, it does not.
    """
    parts: list[bytes] = []
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            parts.append(line)
            record = _record(b"".join(parts))
            parts.clear()
            if record:
                yield record
        if rest:
            parts.append(rest)
    record = _record(b"".join(parts)) if parts and unfinished else None
    if record:
        yield record


def _record(line: bytes) -> Record | None:
    time, _, text = line.decode(errors="replace").partition(" ")
    if not _TIME.match(time):
        # the kubelet's own words about a log that it cannot read come without a time
        if line.strip():
            LOGGER.warning("Not a line of the build's log: %.200r", line)
        return None
    return Record(time, text)
