"""How long a log says nothing, counting only the time in which it can be read."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from jupyterhub_imagebuilder.builds.ports import Clock


class Silence:
    """Measures the time since the last record.

    A stream counts from its first bytes: before, nobody knows whether anything can be read.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = 0.0  # in streams that are over
        self._since: float | None = None  # when this one could be read, or the last record came

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self._before + (0.0 if self._since is None else self._clock.now() - self._since)

    def broken(self) -> None:
        """Begin anew: there was a record, or there may have been one."""
        self._before = 0.0
        if self._since is not None:
            self._since = self._clock.now()

    async def listen(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Pass a stream on."""
        try:
            async with contextlib.aclosing(chunks) as found:
                async for chunk in found:
                    if self._since is None:
                        self._since = self._clock.now()
                    yield chunk
        finally:
            self._before, self._since = self.seconds, None
