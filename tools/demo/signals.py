"""Ctrl-C and its like: the first one ends the demo in good order, the next one at once."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable
from types import FrameType

#: A terminal's Ctrl-C, `kill`, and the end of the terminal.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds in which a signal that comes again is the same wish: make passes on what its whole group
#: has got.
_SAME = 0.5


class Stopped(BaseException):
    """Somebody wants the demo to end."""


class Signals:
    """Hears the signals; raises :class:`Stopped` wherever the program is, until it is calm.

    :param clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calm = False
        self._again = False
        self._last: float | None = None
        for each in _ENDING:
            # nohup wants it to live on
            if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, self._heard)

    def calm(self) -> None:
        """From here on nothing is raised: the demo is ending."""
        self._calm = True

    def hurry(self) -> bool:
        """Whether somebody has asked once more, while the demo was ending."""
        return self._again

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        now = self._clock()
        same = self._last is not None and now - self._last < _SAME
        self._last = now
        if self._calm:
            self._again = self._again or not same
        elif not same:
            raise Stopped


def nobody_listens(output: int) -> bool:
    """Whether the terminal, or the program behind a pipe, is gone.

    A terminal that closes tells the first process in it; where that is make, nobody else hears.

    :param output: a file descriptor.
    """
    looking = select.poll()
    looking.register(output, 0)
    gone = select.POLLHUP | select.POLLERR
    return any(event & gone for _, event in looking.poll(0))
