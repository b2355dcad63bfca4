"""Where one stream of a log has leapt: lines that the kubelet leaves out of it, or tells again.

A node moves a log's file away when it is full: by default it looks every 10 seconds for 10 MiB.
Who follows a log more slowly than it is written comes to the end of a file that was moved away
long ago, and is taken to the newest one: what was between is left out, and now and then the newest
file is told from its beginning again.  The stream says nothing of it (seen with ``kubectl logs
--follow`` that read nothing for 30 seconds); the times of its records do.
"""

from __future__ import annotations

from datetime import datetime

#: Seconds between two records that may be a file that was left out: one is written for longer.
_FORWARD = 5.0
#: Characters of a log of which no file was moved away yet.
_FILE = 4 * 2**20
#: Of one record, beside its text.
_OVERHEAD = 40
#: Seconds; the records of two streams of a container may change places, but not by so much.
_BACKWARD = 1.0


class Leaps:
    """Watches the records of one log's streams.

    A record that it doubts may be right, where a container was quiet or a clock was put back: the
    log has to be read again to know.

    :param resumed: whether an earlier reader has read of this log, nobody knows how much.
    """

    def __init__(self, *, resumed: bool) -> None:
        self._size = _FILE if resumed else 0
        self._time = ""

    def begin(self) -> None:
        """Another stream begins: its first record is the next one for certain."""
        self._time = ""

    def before(self, time: str, text: str) -> bool:
        """Whether the stream may have leapt to this, its next record."""
        last, self._time = self._time, time
        self._size += len(text) + _OVERHEAD
        # nearly all records are of the same second as the one before
        second = len("2026-01-01T00:00:00")
        if not last or last[:second] == time[:second]:
            return False
        passed = (datetime.fromisoformat(time) - datetime.fromisoformat(last)).total_seconds()
        return passed < -_BACKWARD or (passed > _FORWARD and self._size > _FILE)
