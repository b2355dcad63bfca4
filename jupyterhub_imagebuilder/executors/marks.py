"""Where in a build's log one is, as text that another process can go on from.  Pure."""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from jupyterhub_imagebuilder.executors.logs import Position

_VERSION = "1"
_NONE = "-"
_START = Position()


@dataclass(frozen=True, slots=True)
class Mark:
    """Behind a record of a build's log."""

    uid: str  #: of the pod
    index: int = 0  #: of the next line
    pushing: bool = False  #: the push had begun
    push_step: str = ""  #: see :class:`repo2docker.PushEnd`
    position: Position = _START

    def encode(self) -> str:
        """As one line of text, about 150 characters."""
        at = self.position
        return (
            f"{_VERSION} {self.uid} {self.index} {self.pushing:d} {self.push_step or _NONE}"
            f" {at.total} {at.run} {at.digest.hex() or _NONE} {at.time or _NONE}"
            f" {at.latest or _NONE}"
        )


def read_mark(text: str | None, uid: str) -> Mark:
    """A mark of this pod; that of any other, and what is none, is the log's beginning."""
    words = [word if word != _NONE else "" for word in (text or "").split(" ")]
    try:
        version, of, index, pushing, step, total, run, digest, time, latest = words
        position = Position(time, int(run), binascii.unhexlify(digest), latest, int(total))
        found = Mark(of, int(index), pushing == "1", step, position)
    except ValueError:
        return Mark(uid)
    return found if (version, of) == (_VERSION, uid) and position.total > 0 else Mark(uid)
