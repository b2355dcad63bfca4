"""One reader of a build, who comes back where a stream ends before the build does."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason
from jupyterhub_imagebuilder.executors import repo2docker
from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE
from tests.fakes.kubernetes.containerlog import ContainerLog

if TYPE_CHECKING:
    from .process import Process
    from .world import World

ADMIN = Owner("root", admin=True)
PUSH_END = "#9 DONE 3.2s"
#: Seconds until a client comes back.
AGAIN = 0.3


class Viewer:
    """Reads the feed of a build to its end, through any number of processes.

    :param pause: seconds that it takes over each line.
    """

    def __init__(self, world: World, build_id: str, pause: float = 0.0) -> None:
        self.events: list[Event] = []
        self.resumed = 0
        self.heard = 0.0  #: when the last event came; of a build's end, when that was decided
        self.source = -1  #: and from which process
        self.checked = False  #: for who looks at viewers again and again
        self._world = world
        self.build_id = build_id
        self._pause = pause
        self._last: str | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    @property
    def end(self) -> PhaseChanged | None:
        """The terminal event, once it has come."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, PhaseChanged) and last.phase.terminal else None

    @property
    def lines(self) -> list[str]:
        """The text of the log."""
        return [event.text for event in self.events if isinstance(event, LogLine)]

    @property
    def gaps(self) -> list[str]:
        """What was said to be missing."""
        return [event.message for event in self.events if isinstance(event, Gap)]

    @property
    def said(self) -> list[str]:
        """The sentences of the phases, each once."""
        found = [e.message for e in self.events if isinstance(e, PhaseChanged)]
        return list(dict.fromkeys(found))

    def leave(self) -> None:
        """Close the tab."""
        self.task.cancel()

    def check(self) -> None:
        """The log is exact: no line twice, none changed, none missing without a gap.

        :raises AssertionError: it is not; with the last events beside it.
        """
        try:
            self._check()
        except (AssertionError, ValueError) as error:
            shown = "\n".join(f"  {event}"[:200] for event in self.events[-30:])
            error.add_note(f"Build {self.build_id}, resumed {self.resumed} times:\n{shown}")
            raise

    def _check(self) -> None:
        terminal = [e for e in self.events if isinstance(e, PhaseChanged) and e.phase.terminal]
        assert len(terminal) == (self.end is not None), terminal
        sources = self._sources()
        for source, log in sources.items():
            self._check_log(source, shown_of(log))
        shown = not self._world.cluster.logs_forbidden
        if shown and not sources and self.end is not None and self.end.phase is Phase.BUILT:
            self._check_nothing()

    def _check_log(self, source: str, written: list[str]) -> None:
        place, index, gap = 0, -1, False
        for event in self.events:
            if isinstance(event, Gap):
                gap = True
            if not isinstance(event, LogLine) or event.source != source:
                continue
            assert event.index > index, f"line {event.index} comes behind {index}"
            if gap:
                place = written.index(event.text, place)
            else:
                assert event.index == index + 1, f"line {event.index} comes behind {index}"
                assert place < len(written), f"nobody wrote {event.text!r}"
            assert event.text == written[place], (event.text, written[place])
            place, index, gap = place + 1, event.index, False
        if gap or self.end is None:
            return
        whole = len(written)
        if self.end.phase is Phase.BUILT:
            # the end of the push is the last line that is waited for
            whole = written.index(PUSH_END) if PUSH_END in written else whole
        if self.end.phase is Phase.BUILT or self.end.reason is Reason.BUILD_FAILED:
            assert place >= whole, f"{whole - place} lines are missing at the end"

    def _check_nothing(self) -> None:
        """Not even a line, of a build that had some to show."""
        written = [log for log in map(shown_of, self._world.logs_of(self.build_id)) if log]
        assert not written or self.gaps, "the log is missing as a whole"

    def _sources(self) -> dict[str, ContainerLog]:
        lines = [event for event in self.events if isinstance(event, LogLine)]
        twice = [i for i, count in Counter(line.id for line in lines).items() if count > 1]
        assert not twice, f"lines came twice: {twice[:5]}"
        return {line.source: self._world.cluster.logs[line.source] for line in lines}

    async def _run(self) -> None:
        while self.end is None:
            process = self._world.any_process()
            if process is not None:
                try:
                    await process.call(self._read(process))
                except (ImageBuilderError, ConnectionError):
                    self.resumed += 1
            if self.end is None:
                await asyncio.sleep(AGAIN)

    def _told_again(self, event: Event) -> bool:
        """A stream tells the phase again to those who come back."""
        known = isinstance(event, PhaseChanged) and not event.phase.terminal
        return known and self._last is not None and event in self.events

    async def _read(self, process: Process) -> None:
        build = await process.service.get(self.build_id, ADMIN)
        async with aclosing(build.events(self._last)) as events:
            async for event in events:
                if self._told_again(event):
                    continue
                self.events.append(event)
                # a slow reader hears of the end long after it
                self.heard = build.finished or self._world.clock.now()
                self.source = process.number
                if isinstance(event, LogLine):
                    self._last = event.id
                    if self._pause:
                        await asyncio.sleep(self._pause)


def shown_of(log: ContainerLog) -> list[str]:
    """What viewers see of what a container wrote."""
    lines = log.lines[1:] if log.lines[:1] == [FIRST_LINE] else log.lines
    shown: list[str] = []
    for line in lines:
        text = repo2docker.read_line(line).text
        shown += text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return shown
