"""Waits for a build while a server is pending, and gives way where too many do."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import BuildFailed, Reason, ServiceUnavailable
from jupyterhub_imagebuilder.hub.client import BuildAnswer, pinned
from jupyterhub_imagebuilder.hub.streams import BuildStream

log = logging.getLogger(__name__)

#: Seconds: the longest pause before the service is asked again, and how long a start puts up with
#: a service that never answered it (JupyterHub restarts a managed service within 30 seconds).
_PAUSE: Final = 2.0
_PATIENCE: Final = 45.0
#: Seconds within which an answer needs no seat.
_PROMPT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What one server's start waits for."""

    text: str
    owner: Owner
    commit: str | None = None
    timeout: float = 3600.0  #: seconds
    seats: int | None = None  #: how many starts may wait at once; None is any number


class Builds(Protocol):
    """The part of the service's client that a wait needs."""

    async def start_build(self, text: str, owner: Owner, commit: str | None = None) -> BuildAnswer:
        """Find, start or join a build."""


class Streams(Protocol):
    """The open streams, one per build."""

    def follow(self, build_id: str) -> AbstractAsyncContextManager[BuildStream]:
        """Read a build's stream, or read on what broke off."""


class WaitingRoom:
    """Counts the starts that wait for a build in this hub process."""

    def __init__(self) -> None:
        self.taken = 0

    @contextmanager
    def seat(self, seats: int | None) -> Iterator[None]:
        """Hold a seat.

        :raises BuildFailed: all are taken; the reason is ``still-building``.
        """
        if seats is not None and self.taken >= seats:
            raise still_building("many servers wait for their images already")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class WaitView:
    """What the progress page sees of one start's wait."""

    def __init__(self) -> None:
        self.stream: BuildStream | None = None
        self.build_id: str | None = None  #: of the build that is waited for
        self.note: str | None = None  #: what to say while there is no log
        self.closed = asyncio.Event()  #: the wait is over, well or badly
        self.admitted = asyncio.Event()  #: the server starts: the rest is KubeSpawner's


def seats(fraction: float, concurrent_spawn_limit: int) -> int | None:
    """How many starts may wait; one at least, unless none shall.

    >>> seats(0.25, 64), seats(0.25, 2), seats(0.25, 0), seats(0, 64)
    (16, 1, None, 0)
    """
    if concurrent_spawn_limit <= 0:
        return None
    return max(1, int(fraction * concurrent_spawn_limit)) if fraction > 0 else 0


def still_building(why: str) -> BuildFailed:
    """The sentence for a start that does not wait for its build."""
    return BuildFailed(
        f"The image is being built, but this start did not wait for it, because {why}. "
        "The build goes on: start the server again in a few minutes.",
        Reason.STILL_BUILDING,
    )


async def wait_for_build(
    wish: Wish, builds: Builds, streams: Streams, room: WaitingRoom, view: WaitView
) -> BuildAnswer:
    """Wait until the image is there.

    Connections that break and a service that restarts are waited out.  Cancelling only stops
    looking: the build goes on.

    :returns: a build in the phase ``built``, with image and digest.
    :raises BuildFailed: the build's own reason, ``timeout``, or ``still-building``.
    :raises ServiceUnavailable: the service never answered.
    :raises ImageBuilderError: the service's refusal.
    """
    try:
        async with asyncio.timeout(wish.timeout):
            return await _Wait(wish, builds, streams, room, view).until_built()
    except TimeoutError as error:
        minutes = max(1, round(wish.timeout / 60))
        raise BuildFailed(
            f"The image was not ready after {minutes} minutes, for which a server's start waits at "
            "most; the build may go on, so that starting the server again later can help.",
            Reason.TIMEOUT,
        ) from error


class _Wait:
    """One wait, from the first question to the image."""

    def __init__(
        self, wish: Wish, builds: Builds, streams: Streams, room: WaitingRoom, view: WaitView
    ) -> None:
        self._wish = wish
        self._builds = builds
        self._streams = streams
        self._room = room
        self._view = view
        self._seat = ExitStack()
        self._seated = False

    async def until_built(self) -> BuildAnswer:
        async with aclosing(self._answers()) as answers:
            with self._seat:
                async for answer in answers:
                    self._view.build_id = answer.id
                    if answer.phase.terminal and (built := _result(answer)):
                        return built
                    self._sit_down()
                    async with self._streams.follow(answer.id) as stream:
                        self._view.stream, self._view.note = stream, None
                        end = await stream.over()
                    if end and (built := _result(_ended(answer, end))):
                        return built
        raise AssertionError("the service is asked until there is a result")

    async def _answers(self) -> AsyncGenerator[BuildAnswer, None]:
        """Ask for the build again and again, always for the commit that the first answer named."""
        commit = self._wish.commit
        attempt, answered = 0, False
        patience = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            try:
                answer = await self._ask(commit)
            except ServiceUnavailable as error:
                if attempt == 0:
                    log.warning("A start waits for the image builder: %s", error.message)
                if not answered and asyncio.get_running_loop().time() > patience:
                    raise
                self._sit_down()
                self._view.note = f"Waiting: {error.message}"
            else:
                commit, answered = answer.commit, True
                yield answer
            attempt += 1
            # full jitter: a hundred starts that lost one service do not come back at once
            pause = random.uniform(0, min(_PAUSE, 0.25 * 2 ** min(attempt, 10)))  # noqa: S311
            await asyncio.sleep(pause)

    async def _ask(self, commit: str | None) -> BuildAnswer:
        """Ask once; who has to wait long for the answer waits in a seat."""
        wish = self._wish
        asking = asyncio.ensure_future(self._builds.start_build(wish.text, wish.owner, commit))
        try:
            await asyncio.wait({asking}, timeout=_PROMPT)
            if not asking.done():
                self._sit_down()
            return await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _sit_down(self) -> None:
        if not self._seated:
            self._seat.enter_context(self._room.seat(self._wish.seats))
            self._seated = True


def _ended(answer: BuildAnswer, end: PhaseChanged) -> BuildAnswer:
    return replace(
        answer,
        phase=end.phase,
        message=end.message or answer.message,
        reason=end.reason,
        image=end.image or answer.image,
        digest=end.digest,
    )


def _result(answer: BuildAnswer) -> BuildAnswer | None:
    """The built image; None where its digest is missing and has to be asked for again."""
    if answer.phase is Phase.BUILT:
        return answer if pinned(answer.image, answer.digest) else None
    raise failed(answer)


def failed(answer: BuildAnswer) -> BuildFailed:
    """A build that ended without an image; the service's sentence says why."""
    reason = answer.reason or (
        Reason.CANCELLED if answer.phase is Phase.CANCELLED else Reason.BUILD_FAILED
    )
    return BuildFailed(answer.message.strip() or "The build ended without an image.", reason)
