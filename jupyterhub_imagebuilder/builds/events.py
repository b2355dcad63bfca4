"""What can happen to a build, in the order in which its viewers see it.

A log line has an id, ``<pod UID>:<line index>``, from which a viewer can resume.  Phases carry
none: a viewer that resumes gets the current phase anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import Reason


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The build entered a phase, or says something new about the one that it is in.

    A terminal phase is the last event of a feed.  ``built`` carries image and digest, ``failed``
    and ``cancelled`` a reason; every phase has a message.
    """

    phase: Phase
    message: str
    reason: Reason | None = None
    image: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the build's log, without its line end."""

    source: str  #: UID of what printed it; unknown sources replay from the start
    index: int  #: position in that source, from 0, without holes except after a gap
    text: str
    phase: Phase | None = None  #: the phase that the line shows the build to be in

    @property
    def id(self) -> str:
        """The event's id, by which a viewer resumes."""
        return f"{self.source}:{self.index}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines are missing here, for a reason worth telling."""

    message: str


Event = PhaseChanged | LogLine | Gap

_INDEX_DIGITS = 12  # what a viewer sends back is bounded before it is read as a number


def parse_event_id(text: str) -> tuple[str, int] | None:
    """Split ``<source>:<index>`` as a viewer sends it back; None when it is neither."""
    source, _, index = text.rpartition(":")
    if not source or not (index.isascii() and index.isdigit()) or len(index) > _INDEX_DIGITS:
        return None
    return source, int(index)
