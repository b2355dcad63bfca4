"""One repository, from the question for its image to the answer."""

from __future__ import annotations

from contextlib import aclosing
from enum import IntEnum
from typing import Any, Final, Protocol

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase, may_follow
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.cli.options import as_sent
from jupyterhub_imagebuilder.cli.service import Refused, Service, Unreachable
from jupyterhub_imagebuilder.errors import Reason

_LONGEST_PAUSE: Final = 15.0
#: How often a build that the service has forgotten is asked for anew.
_RESTARTS: Final = 3
#: What is told of a build, under the service's own names.
_TOLD: Final = (
    *("id", "provider", "spec", "repository", "ref", "commit", "phase"),
    *("message", "reason", "image", "digest", "cached"),
)


class Code(IntEnum):
    """Exit codes."""

    BUILT = 0
    FAILED = 1
    REFUSED = 2
    UNREACHABLE = 3


class Shown(Protocol):
    """Where a job tells what happens."""

    def log(self, name: str, text: str) -> None:
        """Show a line of the build's log."""

    def stage(self, name: str, text: str) -> None:
        """Show what the build does now."""


class _Patience:
    """How long an answer is waited for, since the last one there was."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._since: float | None = None
        self._tries = 0

    def answered(self) -> None:
        self._since, self._tries = None, 0

    async def pause(self, error: Unreachable) -> None:
        now = self._clock.now()
        self._since = now if self._since is None else self._since
        pause = error.wait if error.wait is not None else float(2 ** min(self._tries, 10))
        pause = min(pause, _LONGEST_PAUSE) if error.wait is None else max(pause, 1.0)
        if now + pause - self._since > self._seconds:
            raise error
        self._tries += 1
        await self._clock.sleep(pause)


class Job:
    """Asks for one repository's image and follows its build.

    :param asked: as the user wrote it; its name in all that is shown.
    """

    def __init__(
        self, asked: str, service: Service, shown: Shown, clock: Clock, patience: float
    ) -> None:
        self.asked = asked
        self._service, self._shown = service, shown
        self._patience = _Patience(clock, patience)
        self._document: dict[str, Any] = {}
        self._phase = Phase.WAITING
        self._said: tuple[str, str] | None = None
        self._last: str | None = None  # id of the newest line
        self._indices: dict[str, int] = {}  # of the newest line, by source
        self.code: Code | None = None  #: None until there is an answer

    @property
    def build_id(self) -> str | None:
        """The build's id; None before the service said it."""
        return self._document.get("id")

    @property
    def image(self) -> str | None:
        """The image, pinned to its content; None where there is none."""
        return self._document.get("image") if self.code is Code.BUILT else None

    @property
    def message(self) -> str:
        """How it ended, in a sentence, with its reason."""
        message, reason = self._document.get("message") or "", self._document.get("reason")
        return f"{message} ({reason})" if reason else message

    def document(self) -> dict[str, Any]:
        """What is known by now, as JSON data."""
        return {"asked": self.asked} | {name: self._document.get(name) for name in _TOLD}

    async def run(self) -> None:
        """Find or build the image; ``code`` says how that ended."""
        try:
            await self._start(None)
            if self.code is None:
                await self._watch()
        except Refused as error:
            self._failed(error)
            self.code = Code.FAILED if error.reason == Reason.INTERNAL else Code.REFUSED
        except Unreachable as error:
            self._failed(error)
            away = error.reason in {"", Reason.SERVICE_UNAVAILABLE}
            self.code = Code.UNREACHABLE if away else Code.REFUSED

    async def cancel(self) -> str:
        """Cancel the build, with one try; a sentence says what came of it."""
        if self.build_id is None:
            return "the build had no id yet and could not be cancelled"
        try:
            document = await self._service.cancel(self.build_id)
        except (Refused, Unreachable) as error:
            return f"could not be cancelled: {error.message}"
        self._document.update(document)
        return str(document.get("message") or "cancelled")

    async def _start(self, commit: str | None) -> None:
        while True:
            try:
                document = await self._service.build(as_sent(self.asked), commit)
                break
            except Unreachable as error:
                self._shown.stage(self.asked, f"{error.message} Trying again")
                await self._patience.pause(error)
        self._patience.answered()
        self._document = document
        if Phase.BUILT.value == document.get("phase"):
            self.code = Code.BUILT
        elif document.get("finished"):
            self.code = Code.FAILED

    async def _watch(self) -> None:
        restarts = 0
        while self.code is None:
            try:
                await self._follow()
                lost = Unreachable("The connection ended before the build.")
            except Unreachable as error:
                lost = error
            except Refused as error:
                restarts += 1
                if error.reason != Reason.BUILD_NOT_FOUND or restarts > _RESTARTS:
                    raise
                # a service without a memory has started again
                await self._start(self._document.get("commit"))
                continue
            if self.code is None:
                self._shown.stage(self.asked, "the connection is lost; trying again")
                self._said = None
                await self._patience.pause(lost)

    async def _follow(self) -> None:
        events = self._service.events(self._document["id"], self._last)
        async with aclosing(events):
            async for event in events:
                self._patience.answered()
                self._take(event)
                if self.code is not None:
                    return

    def _take(self, event: Event) -> None:
        match event:
            case LogLine():
                self._take_line(event)
            case Gap():
                self._shown.log(self.asked, f"[{event.message}]")
            case PhaseChanged():
                self._phase = event.phase
                self._tell(event.phase, event.message)
                if event.phase.terminal:
                    self._end(event)

    def _take_line(self, line: LogLine) -> None:
        if line.source:
            if line.index <= self._indices.get(line.source, -1):
                return
            self._indices[line.source] = line.index
            self._last = line.id
        if line.phase is not None and may_follow(self._phase, line.phase):
            self._phase = line.phase
            self._tell(line.phase, "")
        self._shown.log(self.asked, line.text)

    def _tell(self, phase: Phase, message: str) -> None:
        said = (phase.value, message)
        if not phase.terminal and said != self._said:
            self._said = said
            self._shown.stage(self.asked, f"{phase.value}: {message}" if message else phase.value)

    def _end(self, event: PhaseChanged) -> None:
        self._document.update(
            phase=event.phase.value,
            message=event.message,
            reason=event.reason.value if event.reason else None,
            image=event.image or self._document.get("image"),
            digest=event.digest,
        )
        self.code = Code.BUILT if event.phase is Phase.BUILT else Code.FAILED

    def _failed(self, error: Refused | Unreachable) -> None:
        self._document.update(message=error.message, reason=error.reason or None)
