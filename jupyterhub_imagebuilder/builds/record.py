"""What is kept of a build beyond this process: its state, its owners, and what was said.

A build's events are numbered from 0 in the order of its feed, log lines, gaps and phases alike.
They are kept in *pages*, pieces of the feed without holes in them; between two pages there may be
one, where the store was away for too long.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyterhub_imagebuilder.builds.events import Event
from jupyterhub_imagebuilder.builds.model import BuildRequest, OwnerKind, RepoSpec
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import Reason


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """The state of one build at one moment."""

    request: BuildRequest
    #: the process that writes this: an id that sorts behind those of processes before it
    author: str
    phase: Phase
    message: str
    owners: frozenset[tuple[OwnerKind, str]]  #: everyone who asked for it
    entered: tuple[tuple[Phase, float], ...]  #: when each phase began, in seconds since the epoch
    uid: str | None = None  #: of its pod or container; None while it has none
    reason: Reason | None = None
    digest: str | None = None
    cached: bool = False
    finished: float | None = None  #: seconds since the epoch
    said: int = 0  #: events of its feed so far; the end of them may never be kept


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a build's feed."""

    first: int  #: number of the first event
    events: tuple[Event, ...]
    #: where in the executor's log it ends, as the executor put it; None where it had not begun
    mark: str | None = field(default=None, repr=False)

    @property
    def end(self) -> int:
        """The number behind the last event."""
        return self.first + len(self.events)


@dataclass(frozen=True, slots=True)
class Kept:
    """A build as it was kept."""

    record: BuildRecord
    end: int = 0  #: the number behind the last event that was kept
    mark: str | None = None  #: that of the last page
    published: bool = False  #: an admin put it into everybody's list
    size: int | None = None  #: bytes of the image's compressed layers


@dataclass(frozen=True, slots=True)
class Wanted:
    """A repository and ref that somebody asked for, and when last."""

    spec: RepoSpec
    when: float  #: seconds since the epoch


@dataclass(frozen=True, slots=True)
class Failures:
    """Builds that failed for one reason."""

    reason: Reason
    count: int
    last: float  #: when the last one ended, in seconds since the epoch


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, in bytes."""

    used: int
    total: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What is kept, in numbers."""

    failures: tuple[Failures, ...]  #: most frequent first
    images: int  #: that builds made or found
    size: int  #: bytes of those whose size is known
    disk: Disk | None = None  #: what the history is on; None: it is elsewhere
