"""Brings one build's container to run: the image that builds is pulled first where it is missing.

A launch belongs to the executor: it goes on whether somebody looks at it or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.ports import Claim, Clock
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors.docker import container, verdict
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError, Json
from jupyterhub_imagebuilder.executors.private import LOGIN_FOLDER, Private

LOGGER = logging.getLogger(__name__)

#: How often the image may turn out to be missing behind a pull that went well.
_ATTEMPTS = 3
#: Seconds between attempts to pull, and between two sentences about one.
_AGAIN = 5.0
_NEWS = 1.0
_MEGABYTE = 1_000_000
_FINAL = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be launched."""

    body: Json  #: of the container
    image: str
    credentials: Callable[[], bytes] | None  #: reads Docker's ``config.json``, in a thread
    pull_grace: float  #: seconds that pulling may go on failing
    private: Private | None = None  #: how the repository is fetched, if that takes a login


class Launch:
    """One container on its way.

    :param started: id of one that exists already and was never started; None makes one.
    """

    def __init__(
        self,
        claim: Claim,
        order: Order,
        *,
        engine: Engine,
        clock: Clock,
        created: str | None = None,
    ) -> None:
        self.claim = claim
        self.container = created  #: id; None while there is none
        self.taken = False  #: another container has the name
        self.failure: BuildFailed | None = None  #: it will never run
        self.unanswered: EngineError | None = None  #: the engine did not say whether it exists
        self.message = "Starting the build."
        self.decided = asyncio.Event()  #: it is taken, or ours
        self.done = asyncio.Event()  #: it runs, or ran, or never will
        self.changed = asyncio.Event()  #: there is a new message, or it is done
        self._order = order
        self._engine = engine
        self._clock = clock
        self._unwanted = False
        self._pulling: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run(), name=f"launch {claim.request.name}")

    async def stop(self) -> None:
        """Give it up; what exists of it by then has to be removed by its label."""
        self._unwanted = True
        if self._pulling is not None:
            self._pulling.cancel()
        await asyncio.wait({self._task})

    async def abandon(self) -> None:
        """Leave it as it is: this process stops."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            if self.container is None:
                self.container = await self._create()
            self.decided.set()
            if self.container is not None and not self._unwanted:
                await self._start(self.container)
        except BuildFailed as error:
            self.failure = error
        except EngineError as error:
            if not self.decided.is_set():
                self.unanswered = error
            self.failure = verdict.engine_went_away()
        except Exception:
            LOGGER.exception("Launching %s failed", self.claim.request.name)
            self.failure = BuildFailed("The build could not be started.", Reason.INTERNAL)
        finally:
            for event in (self.decided, self.done, self.changed):
                event.set()

    async def _create(self) -> str | None:
        """Create the container; None where its name is taken, or where it is unwanted."""
        for _ in range(_ATTEMPTS):
            if self._unwanted:
                return None
            try:
                return await self._engine.create(self.claim.request.name, self._order.body)
            except EngineError as error:
                if error.code == HTTPStatus.CONFLICT:
                    return await self._met()
                if error.code != HTTPStatus.NOT_FOUND:
                    if error.code is None:
                        raise
                    raise verdict.not_started(error.words) from error
                missing = error
            # who asked for the build need not wait for this, but is told of it
            self.decided.set()
            self._pulling = asyncio.create_task(self._pull())
            with contextlib.suppress(asyncio.CancelledError):
                await self._pulling
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise asyncio.CancelledError
        raise verdict.not_pulled(missing.words) from missing

    async def _met(self) -> str | None:
        """Find another container under the name: an answer of 409."""
        if not self.decided.is_set():
            self.taken = True
            return None
        # another process was faster while this one pulled: its container is as good
        found = await self._engine.inspect(self.claim.request.name)
        known = container.read_claim(found) if found else None
        if found is None or known is None or known.request.key != self.claim.request.key:
            raise name_taken()
        return str(found["Id"])

    async def _start(self, created: str) -> None:
        found = await self._engine.inspect(created)
        # what is over must not run again
        if found is None or container.status(found) != "created":
            return
        try:
            if self._order.credentials is not None:
                credentials = await asyncio.to_thread(self._order.credentials)
                await self._engine.put(created, container.CREDENTIALS, credentials)
            if self._order.private is not None:
                for name, content in self._order.private.files.items():
                    await self._engine.put(created, f"{LOGIN_FOLDER}/{name}", content)
            await self._engine.start(created)
        except EngineError as error:
            if error.code is None:
                raise
            if error.code != HTTPStatus.NOT_FOUND or "no such container" not in error.words.lower():
                raise verdict.not_started(error.words) from error

    async def _pull(self) -> None:
        began = self._clock.now()
        while True:
            try:
                await self._pull_once()
            except EngineError as error:
                words = error.words or error.message
                final = error.code in _FINAL or self._clock.now() - began >= self._order.pull_grace
                if final:
                    raise verdict.not_pulled(words) from error
                self._say(verdict.not_pulled(words).message)
                await self._clock.sleep(_AGAIN)
            else:
                return

    async def _pull_once(self) -> None:
        name = self._order.image
        self._say(f"Pulling the image that builds, {name}.")
        layers: dict[str, tuple[int, int]] = {}
        told = self._clock.now()
        async with contextlib.aclosing(self._engine.pull(name)) as news:
            async for item in news:
                progress = item.get("progressDetail") or {}
                if item.get("status") == "Downloading" and progress.get("total"):
                    layers[str(item.get("id"))] = (progress["current"], progress["total"])
                if layers and self._clock.now() - told >= _NEWS:
                    told = self._clock.now()
                    self._say(_progress(name, layers))

    def _say(self, message: str) -> None:
        self.message = message
        self.changed.set()


def name_taken() -> BuildFailed:
    """A container that is not this build's has its name."""
    return BuildFailed(
        "Another container has the name that this build needs; an admin has to look at it.",
        Reason.EXECUTOR_LOST,
    )


def _progress(image: str, layers: dict[str, tuple[int, int]]) -> str:
    had, total = (sum(numbers) for numbers in zip(*layers.values(), strict=True))
    return (
        f"Pulling the image that builds, {image}:"
        f" {had // _MEGABYTE} of {total // _MEGABYTE} MB, as far as its layers have begun."
    )
