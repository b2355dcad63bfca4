"""One container's log, record by record, from its beginning to its end, over any number of streams.

The end of a stream is not the end of the log: the container's own end is, and then the log's last
record has to be the last one that was delivered.  After a stream that broke, only the end of the
log is read again, more of it where that is not enough, and what follows the last record that was
delivered is new.  Where that record is not there any more (the kubelet keeps one file of 10 MiB),
lines may be missing: that is one gap, and only records later than all that were delivered follow.

Resuming needs no clock: times say which record is which, and are compared only to prove a gap, or
to doubt a stream (see :mod:`leaps`), which is then taken up again as one that broke.

Source of the format: the kubelet's ``timestamps=true``: an RFC 3339 time with nine decimals, a
space, and the bytes as they were written, the parts of a long line joined.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.apierror import ApiError
from jupyterhub_imagebuilder.executors.leaps import Leaps
from jupyterhub_imagebuilder.executors.stall import unless_stalled
from jupyterhub_imagebuilder.executors.waiting import wait_for

LOGGER = logging.getLogger(__name__)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$")
_ATTEMPTS_AT_THE_END = 8
#: Seconds for which a log is refused that may not be read at all: a server that has just begun to
#: listen refuses everything to everyone, for about a second.  Shorter where a build waits to end.
_REFUSED = 15.0
_REFUSED_AT_THE_END = 3.0
#: Seconds without a byte after which a stream is taken up anew once the container is over; a log
#: that is read again may take longer to begin.
_STALLED = 3.0
_STALLED_AGAIN = 10.0
#: Reads without news after which a log is complete that cannot be shown to be.
_QUIET = 3
#: Lines of the log's end that are read again after a break: so many at first, at most so many (the
#: whole file comes next).  A try that is too short is given up at its first record.
_SMALLEST = 16
_LARGEST = 2**22
#: Bytes of a line that are kept in memory; a longer line is given out in pieces of this size.
_LONGEST = 4 * 2**20
ROTATED = "Some lines of the log are missing here: the node had moved them away already."
UNREADABLE = "The rest of the log could not be read."

#: Opens the log: ``(follow, tail)`` to chunks of bytes; raises ApiError.
OpenLog = Callable[[bool, int | None], AsyncGenerator[bytes, None]]


class Record(NamedTuple):
    """One line as the kubelet keeps it."""

    time: str
    text: str


class Position(NamedTuple):
    """Where in a log one is: behind a record, which is known by its time and its bytes.

    Several records may have the same time, and even the same text: the last records of one time
    count as one, known by their number and a digest of them all.
    """

    time: str = ""  #: of the last record
    run: int = 0  #: how many records of that time there were in a row
    digest: bytes = b""  #: of their texts
    latest: str = ""  #: the latest time of all
    total: int = 0  #: how many records there were in all

    def after(self, record: Record) -> Position:
        """Tell the position behind the next record."""
        same = record.time == self.time
        digest = hashlib.blake2b(self.digest if same else b"", digest_size=16)
        digest.update(record.text.encode())
        return Position(
            record.time,
            self.run + 1 if same else 1,
            digest.digest(),
            max(self.latest, record.time),
            self.total + 1,
        )


class _Search:
    """Looks for a position in a text that is read again.

    :param cut: the text may begin anywhere: its first records may have had others of the same
        time before them, and the very first may be the rest of a long line.
    """

    def __init__(self, wanted: Position, *, cut: bool) -> None:
        self._wanted = wanted
        self._here = Position()
        self._cut = cut

    def ends_with(self, record: Record) -> bool:
        """Whether this, the text's next record, is the last one before the position."""
        if self._here.time not in ("", record.time):
            self._cut = False
        self._here = self._here.after(record)
        return not self._cut and self._here[:3] == self._wanted[:3]


class LogReader:
    """Reads one container's log once.

    :param over: set when the container has ended (or is gone): nothing will be written any more.
    :param position: where an earlier reader was; everything before it is taken as delivered.
    """

    def __init__(
        self,
        open_log: OpenLog,
        over: asyncio.Event,
        clock: Clock,
        position: Position | None = None,
    ) -> None:
        self.position = position or Position()  #: behind the last record that was delivered
        self._open_log = open_log
        self._over = over
        self._clock = clock
        self.last: Record | None = None  #: the last record that was delivered, where it is known
        self._leaps = Leaps(resumed=self.position.total > 0)
        self._window: int | None = None  # lines of the last read; None: the whole file
        self._short = 0  # lines that are known to be too few to come to the position
        self._enough: int | None = None  # and lines that are known to be more than is needed
        self._searched = False  # whether the last read gave records, but none that is new
        self._found = False  # whether it came to the position
        self._quiet = 0  # reads after the container's end that brought nothing new
        self._rest = b""  # behind the last line's end, at the last of them
        self._refused: float | None = None  # since when the log may not be read
        self._failures = 0

    async def records(self) -> AsyncGenerator[Record | Gap, None]:
        """Everything that the container wrote behind the position, in order.

        :raises ApiError: 403, the log may not be read, and never could; 404, the pod is gone.
        """
        while True:
            finished = self._over.is_set()
            before, broken = self.position.total, False
            try:
                async with contextlib.aclosing(self._read(follow=not finished)) as found:
                    async for item in found:
                        self._failures = 0
                        yield item
            except ApiError as error:
                # a node that is being set up says 404, too: it counts from the end on
                gone = error.code == HTTPStatus.NOT_FOUND and self._over.is_set()
                if gone or self._refuses(error):
                    raise
                LOGGER.debug("A log's stream ended early: %s", error.words or error)
                broken = True
            else:
                self._refused = None
            if self._aimed_better(broken=broken):
                continue
            self._quiet += finished and not broken and self.position.total == before
            if self._found and not broken:
                if await self._ended(finished=finished):
                    return
                continue
            self._failures += 1
            if finished and self._failures >= _ATTEMPTS_AT_THE_END:
                yield Gap(UNREADABLE)
                return
            await self._pause()

    def _refuses(self, error: ApiError) -> bool:
        """Whether this error shows that the log may not be read."""
        if error.code != HTTPStatus.FORBIDDEN or self.position.total:
            self._refused = None
            return False
        now = self._clock.now()
        if self._refused is None:
            self._refused = now
        return now - self._refused >= (_REFUSED_AT_THE_END if self._over.is_set() else _REFUSED)

    def _open(self, tail: int | None, *, follow: bool) -> AsyncGenerator[bytes, None]:
        patience = _STALLED if follow else _STALLED_AGAIN
        return unless_stalled(self._open_log(follow, tail), self._over, patience, self._clock)

    async def _read(self, *, follow: bool) -> AsyncGenerator[Record | Gap, None]:
        self._window = window = self._next_window()
        self._searched, self._found = False, self.position.total == 0
        search = _Search(self.position, cut=window is not None)
        self._leaps.begin()
        records = parse(
            self._open(window, follow=follow), unfinished=_never if follow else self._same_rest
        )
        async with contextlib.aclosing(records):
            async for record in records:
                if not self._found:
                    self._searched = True
                    if record.time <= self.position.latest:
                        self._found = search.ends_with(record)
                        if self._found:
                            self.last = record
                        continue
                    # later than all that was delivered: the position is not in this text
                    if window is not None:
                        return
                    self._found = True
                    yield Gap(ROTATED)
                elif follow and self._leaps.before(*record):
                    raise ApiError("A log's stream left lines out, or went back.")
                self._short, self._enough, self._searched = 0, None, False
                self.last, self.position = record, self.position.after(record)
                yield record

    def _same_rest(self, rest: bytes) -> bool:
        """Whether a line's end is missing: twice, in the same place.

        An answer that broke off looks like a complete one.

        :raises ApiError: it is missing in another place.
        """
        before, self._rest = self._rest, rest
        # where the position was not found, it may be the rest of a long line's end
        if self._found and before not in (b"", rest):
            raise ApiError("A log's stream ended in a line.")
        return before == rest

    def _next_window(self) -> int | None:
        if self._enough is None:
            window = self._short * 4 or _SMALLEST
        elif self._enough - self._short > _SMALLEST:
            window = (self._enough + self._short) // 2
        else:
            window = self._enough
        # the whole of a short log costs no more, and its beginning is the file's
        return None if window > _LARGEST or self.position.total <= _SMALLEST else window

    def _aimed_better(self, *, broken: bool) -> bool:
        """Whether a read that brought nothing new has shown where else to begin."""
        if self._window is None:
            return False
        if not broken:
            if self._found:
                return False
            self._short = self._window
            if self._enough is not None and self._enough <= self._short:
                self._enough = None  # the log has grown
            return True
        if not self._searched or self._window == self._enough:
            return False
        self._enough = self._window
        return True

    async def _ended(self, *, finished: bool) -> bool:
        """Whether a read that ended well was the last one."""
        if not finished:
            # a stream ends shortly before the watch tells that the container has
            await wait_for(self._over, 5, self._clock)
            return self._over.is_set() and await self._complete()
        if await self._complete():
            return True
        # of a long line, the log's last line is the end alone, and never the same
        if self._quiet >= _QUIET:
            return True
        await self._pause()
        return False

    async def end(self) -> list[Record]:
        """The log's last record, as it is now; of a long line it may be the end alone.

        :raises ApiError: it cannot be read.
        """
        async with contextlib.aclosing(parse(self._open(1, follow=False))) as found:
            return [record async for record in found][-1:]

    async def _complete(self) -> bool:
        """Whether the log's last record is the last one that was delivered.

        No record proves nothing: an answer that broke off looks like an empty log.
        """
        try:
            return self.last is not None and await self.end() == [self.last]
        except ApiError:
            return False

    async def _pause(self) -> None:
        await self._clock.sleep(min(0.25 * 2 ** min(self._failures, 6), 5))


def _always(_: bytes) -> bool:
    return True


def _never(_: bytes) -> bool:
    return False


async def parse(
    chunks: AsyncGenerator[bytes, None], *, unfinished: Callable[[bytes], bool] = _always
) -> AsyncGenerator[Record, None]:
    """Split a stream into records; bytes that are no UTF-8 become U+FFFD.

    A line that is too long to be kept is several records of one time.

    :param unfinished: is given what stands behind the last line's end, if anything, and tells
        whether that is a line: where a stream may have been cut in one, it is not.
    """
    lines = _Lines()
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            for record in lines.feed(chunk):
                yield record
    rest = lines.rest()
    if rest and unfinished(rest):
        for record in lines.end():
            yield record


class _Lines:
    """Makes records of bytes; how the bytes come in makes no difference."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._time: str | None = None  # of a line whose first pieces are out; empty: of no record

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Records that the next bytes complete."""
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield from self._add(line)
            yield from self.end()
        yield from self._add(rest)

    def rest(self) -> bytes:
        """Whatever of a line is there."""
        return b"".join(self._parts)

    def end(self) -> Iterator[Record]:
        """The same, at the line's end."""
        if self._parts:
            yield from self._record(b"".join(self._parts))
        self._parts, self._size, self._time = [], 0, None

    def _add(self, part: bytes) -> Iterator[Record]:
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        while self._size > _LONGEST:
            line = b"".join(self._parts)
            ends = range(_LONGEST, _LONGEST - 4, -1)
            size = next((end for end in ends if not _inside(line[end])), _LONGEST)
            yield from self._record(line[:size])
            self._parts, self._size = [line[size:]], len(line) - size

    def _record(self, data: bytes) -> Iterator[Record]:
        text = data.decode(errors="replace")
        if self._time is None:
            time, _, text = text.partition(" ")
            self._time = time if _TIME.match(time) else ""
            # the kubelet's own words about a log that it cannot read come without a time
            if not self._time and data.strip():
                LOGGER.warning("Not a line of the build's log: %.200r", data)
        if self._time:
            yield Record(self._time, text)


def _inside(byte: int) -> bool:
    """Whether a byte can only stand inside of a character of UTF-8."""
    return byte & 0xC0 == 0x80  # noqa: PLR2004 -- 10xxxxxx
