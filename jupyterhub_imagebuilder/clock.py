"""The system's time, as the domain asks for it."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Implements :class:`jupyterhub_imagebuilder.builds.ports.Clock`."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        await asyncio.sleep(seconds)
