"""What a write changes, given what is there: the rules of the port ``Store``, without a database.

Whoever folds holds the build's row locked, so that what it read stays true until it has written.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from jupyterhub_imagebuilder.builds.events import Event
from jupyterhub_imagebuilder.builds.model import OwnerKind
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import BuildRecord, Page


@dataclass(frozen=True, slots=True)
class Write:
    """One call of ``save``, which has a record, or of ``append``, which has a page."""

    build_id: str
    author: str
    content: BuildRecord | Page

    @classmethod
    def save(cls, record: BuildRecord) -> Write:
        """Keep a state."""
        return cls(record.request.id, record.author, record)


@dataclass(slots=True)
class Run:
    """Pages without a hole between them, on their way to become one."""

    first: int
    events: list[Event]
    mark: str | None

    @property
    def end(self) -> int:
        """The number behind the last event."""
        return self.first + len(self.events)

    def page(self) -> Page:
        """What it became."""
        return Page(self.first, tuple(self.events), self.mark)


@dataclass(slots=True)
class Draft:
    """A build in the middle of a transaction."""

    author: str
    over: bool  #: its end is kept
    end: int = 0
    mark: str | None = None
    owners: set[tuple[OwnerKind, str]] = field(default_factory=set)  #: to be added
    runs: list[Run] = field(default_factory=list)  #: to be added
    dropped: bool = False  #: the pages that are in the database go first
    record: BuildRecord | None = None  #: its new state, without the owners; None: as it was

    def take(self, write: Write) -> None:
        """Fold a write in."""
        if isinstance(write.content, BuildRecord):
            self._save(write.content)
        elif write.author == self.author and write.content.events:
            self._append(write.content)

    def _save(self, new: BuildRecord) -> None:
        self.owners |= new.owners
        # its failure may be that of a pod which the later author has replaced
        weighs = new.phase.terminal and new.phase is not Phase.FAILED
        if self.over or (new.author < self.author and not weighs):
            return
        if new.author > self.author:
            self.runs.clear()
            self.dropped, self.end, self.mark = True, 0, None
        self.author, self.over = max(new.author, self.author), new.phase.terminal
        self.record = dataclasses.replace(new, author=self.author)

    def _append(self, page: Page) -> None:
        if page.end <= self.end:
            return
        skip = max(self.end - page.first, 0)
        first, events = page.first + skip, page.events[skip:]
        self.end = page.end
        self.mark = page.mark if page.mark is not None else self.mark
        last = self.runs[-1] if self.runs else None
        if last is not None and last.end == first:
            last.events.extend(events)
            last.mark = page.mark
        else:
            self.runs.append(Run(first, list(events), page.mark))


def newest(known: BuildRecord | None, new: BuildRecord) -> BuildRecord:
    """The state that two saves of one build lead to."""
    if known is None:
        return new
    draft = Draft(known.author, known.phase.terminal, owners=set(known.owners))
    draft.take(Write.save(new))
    return dataclasses.replace(draft.record or known, owners=frozenset(draft.owners))
