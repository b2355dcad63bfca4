"""How soon there is room in a full queue, by what has happened since somebody waits."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Counts builds that end while others wait.

    :param now: seconds, of a clock that does not run backwards far.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: float | None = None  # somebody waits since then
        self._ends = 0

    def waiting(self, count: int) -> None:
        """So many builds wait now."""
        if not count:
            self._since = None
        elif self._since is None:
            self._since, self._ends = self._now(), 0

    def ended(self) -> None:
        """A build has ended, and another has its turn."""
        self._ends += 1

    def seconds(self) -> float | None:
        """Seconds from one end to the next on average; None while none has ended."""
        if self._since is None or not self._ends:
            return None
        return max(1.0, (self._now() - self._since) / self._ends)


def in_words(seconds: float) -> str:
    """A time to wait, rounded up: ``30 seconds``, ``2 minutes``."""
    if seconds <= 60:  # noqa: PLR2004 -- a minute
        tens = max(1, -int(-seconds // 10))
        return f"{10 * tens} seconds"
    minutes = -int(-seconds // 60)
    return f"{minutes} minutes"
