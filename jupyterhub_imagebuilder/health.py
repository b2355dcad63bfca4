"""Whether the parts that builds need answer: named checks, asked together and not too often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import ImageBuilderError

log = logging.getLogger(__name__)

#: Returns when the part answers, raises when it does not.
Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one part."""

    name: str
    ok: bool
    message: str = ""  #: why not; a sentence
    required: bool = True  #: whether nothing can be built without it


@dataclass(frozen=True, slots=True)
class Report:
    """The answers of all parts."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every part answers that builds need."""
        return all(check.ok for check in self.checks if check.required)


class Health:
    """Asks all parts at the same time; callers within ``ttl`` share one round.

    :param ttl: seconds for which a round's answers hold.
    :param timeout: seconds that a part has to answer.
    """

    def __init__(self, *, clock: Clock, ttl: float = 15.0, timeout: float = 5.0) -> None:
        self._clock = clock
        self._ttl = ttl
        self._timeout = timeout
        self._probes: Mapping[str, Probe] = {}
        self._optional: frozenset[str] = frozenset()
        self._round: asyncio.Task[Report] | None = None
        self._asked = float("-inf")

    def watch(self, probes: Mapping[str, Probe], optional: frozenset[str] = frozenset()) -> None:
        """Ask these parts from now on.

        :param optional: names of those without which builds go on.
        """
        self._probes = dict(probes)
        self._optional = optional
        self._asked = float("-inf")  # the answers that are there say nothing about these

    async def report(self) -> Report:
        """The newest answers, at most ``ttl`` seconds old."""
        if self._round is None or (
            self._round.done() and self._clock.now() - self._asked >= self._ttl
        ):
            self._asked = self._clock.now()
            self._round = asyncio.create_task(self._ask_all(), name="health checks")
        # a caller that goes away must not take the answer from the others
        return await asyncio.shield(self._round)

    async def close(self) -> None:
        """End a round that is under way."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
            self._round = None

    async def _ask_all(self) -> Report:
        checks = (self._ask(name, probe) for name, probe in self._probes.items())
        found = await asyncio.gather(*checks)
        return Report(tuple(replace(c, required=c.name not in self._optional) for c in found))

    async def _ask(self, name: str, probe: Probe) -> Check:
        try:
            async with asyncio.timeout(self._timeout):
                await probe()
        except TimeoutError:
            return Check(name, ok=False, message=f"No answer within {self._timeout:g} seconds.")
        except ImageBuilderError as error:
            return Check(name, ok=False, message=error.message)
        except Exception:
            log.exception("the health check %s failed", name)
            return Check(name, ok=False, message="The check itself failed; the log says more.")
        return Check(name, ok=True)
