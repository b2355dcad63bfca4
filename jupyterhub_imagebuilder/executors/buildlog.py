"""One build's log as its viewers see it: numbered lines, gaps, and marks to go on from."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncGenerator, Iterator
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.events import Gap, LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Checkpoint, Claim, Clock, Observation, Pushed
from jupyterhub_imagebuilder.executors import diagnosis, entrypoint, logs, repo2docker
from jupyterhub_imagebuilder.executors.apierror import ApiError
from jupyterhub_imagebuilder.executors.marks import Mark, read_mark
from jupyterhub_imagebuilder.executors.silence import Silence

#: Behind a gap, lines are numbered from the next multiple of this: those that are missing may
#: have been told by a process that is no more, and their numbers mean them.
_JUMP = 1_000_000


class BuildLog:
    """Reads a build's log once, from a mark on.

    :param open_log: opens the container's log, see :data:`logs.OpenLog`.
    :param over: set when the container has ended (or is gone).
    :param mark: see :class:`marks.Mark`; None is the beginning.
    """

    def __init__(
        self,
        claim: Claim,
        mark: str | None,
        *,
        open_log: logs.OpenLog,
        over: asyncio.Event,
        clock: Clock,
    ) -> None:
        start = read_mark(mark, claim.uid)
        self.index = start.index  #: of the next line
        self.pushing = start.pushing  #: the log has shown the push to have begun
        #: the end of the log
        self.tail: collections.deque[str] = collections.deque(maxlen=diagnosis.TAIL)
        self.resumed = start.position.total > 0  #: the tail may lack what an earlier reader saw
        self.silence = Silence(clock)
        self.stream_ended = asyncio.Event()  #: the container seems to be over; the reader clears it
        self._claim = claim
        self._open_log = open_log
        self._over = over
        self._push_end = repo2docker.PushEnd(start.push_step)
        self._begun = self.resumed  # whether a record was told
        self._last: list[logs.Record] | None = None  # where the log stood at the last look
        self._reader = logs.LogReader(self._open, over, clock, start.position)

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """Everything behind the mark, to the log's end.

        :raises ApiError: 403, the log may not be read; 404, the pod is gone.
        """
        resuming = self.resumed
        async with contextlib.aclosing(self._reader.records()) as records:
            async for record in records:
                self.silence.broken()
                if isinstance(record, Gap):
                    self._begun = True
                    if resuming and record.message == logs.ROTATED:
                        self._jump()
                    yield record
                    continue
                resuming = False
                if not self._begun:
                    self._begun = True
                    if record.text == entrypoint.FIRST_LINE:
                        continue
                    self._jump()
                    yield Gap(logs.ROTATED)
                for observation in self.lines(record.text):
                    yield observation
                yield Checkpoint(self._mark())
        if not self._begun:
            # not even the line with which each log begins
            yield Gap(logs.ROTATED)

    def lines(self, raw: str) -> Iterator[Observation]:
        """The lines of one record, and what they mean."""
        text, phase = repo2docker.read_line(raw)
        self.pushing = self.pushing or phase is Phase.PUSHING
        # a progress bar draws itself anew behind a carriage return
        for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            self.tail.append(line)
            yield LogLine(self._claim.uid, self.index, line, phase)
            self.index += 1
            if self._push_end.seen_in(line, phase):
                yield Pushed()

    async def stands_still(self) -> bool:
        """Whether the log can be read now, and nothing came since the last look, or ever.

        The first look at a log says nothing where its last record is one that was cut.
        """
        try:
            found = await self._reader.end()
        except ApiError:
            return False
        before, self._last = self._last, found
        return found in ([self._reader.last], before)

    def _open(self, follow: bool, tail: int | None) -> AsyncGenerator[bytes, None]:  # noqa: FBT001
        chunks = self._open_log(follow, tail)
        return self._followed(self.silence.listen(chunks)) if follow else chunks

    async def _followed(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async with contextlib.aclosing(chunks) as found:
                async for chunk in found:
                    yield chunk
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                self.stream_ended.set()
            raise
        if not self._over.is_set():
            self.stream_ended.set()

    def _jump(self) -> None:
        self.index = (self.index // _JUMP + 1) * _JUMP

    def _mark(self) -> str:
        return Mark(
            self._claim.uid,
            self.index,
            self.pushing,
            self._push_end.step,
            self._reader.position,
        ).encode()
