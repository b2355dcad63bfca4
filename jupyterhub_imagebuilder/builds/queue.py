"""Who builds next: limits on what runs at once, and turns that are fair between users.

A user's first build waits for one build of each other user at most, however many those have asked
for.  Within a user's own, the order is that of asking.  Joining a build and finding an image never
come here.  State only: nothing is awaited but a turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jupyterhub_imagebuilder.builds.model import BuildRequest, OwnerKind
from jupyterhub_imagebuilder.builds.pace import Pace, in_words
from jupyterhub_imagebuilder.errors import QuotaExceeded

#: Positions beyond this are told rounded: who is far behind does not need every step.
_EXACT = 10


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many builds run and wait at once; 0 is any number."""

    running: int = 0
    per_user: int = 0
    per_repository: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of the limits is used; of an owner's and a repository's, where they are named."""

    running: int
    waiting: int
    user_running: int
    user_waiting: int
    repository_running: int | None = None


@dataclass(slots=True, eq=False)
class Place:
    """One build's place: waiting, then running, until it is given back."""

    owner: tuple[OwnerKind, str]
    repository: str
    tell: Callable[[str], object]
    move: Callable[[int | None], object]
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    told: str = ""
    position: int | None = None


class BuildQueue:
    """Hands out turns.

    :param now: seconds, for telling how soon there is room.
    """

    def __init__(self, limits: QueueLimits, now: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._pace = Pace(now)
        self._running: set[Place] = set()
        # by owner, the one who has waited longest for a turn of theirs first
        self._waiting: dict[tuple[OwnerKind, str], deque[Place]] = {}

    def __len__(self) -> int:
        """How many builds wait for their turn."""
        return sum(map(len, self._waiting.values()))

    def usage(self, owner: tuple[OwnerKind, str], repository: str | None = None) -> Usage:
        """What is used now.

        :param repository: canonical URL of the one whose builds are counted, too.
        """
        of_repository = sum(place.repository == repository for place in self._running)
        return Usage(
            running=len(self._running),
            waiting=len(self),
            user_running=sum(place.owner == owner for place in self._running),
            user_waiting=len(self._waiting.get(owner, ())),
            repository_running=None if repository is None else of_repository,
        )

    def check_room(self) -> None:
        """Return if another build may wait.

        :raises QuotaExceeded: the queue is full.
        """
        waiting = len(self)
        if self._limits.waiting and waiting >= self._limits.waiting:
            seconds = self._pace.seconds()
            when = (
                f"in about {in_words(seconds)}" if seconds else "when one of those that run is over"
            )
            raise QuotaExceeded(
                f"{waiting} builds are waiting already; there is room for one more {when}.",
                retry_after=seconds,
            )

    def enter(
        self,
        request: BuildRequest,
        tell: Callable[[str], object],
        move: Callable[[int | None], object] = str,
    ) -> Place:
        """Take a place at the end of its owner's own queue.

        :param tell: called with a sentence whenever there is something new to say to who waits.
        :param move: called with the place in the queue, from 1, and None when it has its turn.
        :returns: the place; its ``turn`` may be set already.
        """
        owner = (request.owner.kind, request.owner.name)
        place = Place(owner, request.spec.repository, tell, move)
        self._waiting.setdefault(owner, deque()).append(place)
        self._advance()
        return place

    def occupy(self, request: BuildRequest) -> Place:
        """Count a build that runs already, whatever the limits say."""
        place = Place((request.owner.kind, request.owner.name), request.spec.repository, str, str)
        place.turn.set()
        self._running.add(place)
        return place

    def leave(self, place: Place) -> None:
        """Give a place back, running or waiting; again is fine."""
        if place in self._running:
            self._running.discard(place)
            self._pace.ended()
        queue = self._waiting.get(place.owner)
        if queue is not None and place in queue:
            queue.remove(place)
            if not queue:
                del self._waiting[place.owner]
        self._advance()

    def _advance(self) -> None:
        while (place := self._next()) is not None:
            queue = self._waiting.pop(place.owner)
            queue.remove(place)
            if queue:
                self._waiting[place.owner] = queue  # at the end: the others come first now
            self._running.add(place)
            place.turn.set()
            if place.position is not None:
                place.position = None
                place.move(None)
        self._pace.waiting(len(self))
        self._tell()

    def _next(self) -> Place | None:
        if self._limits.running and len(self._running) >= self._limits.running:
            return None
        users = Counter(place.owner for place in self._running)
        repositories = Counter(place.repository for place in self._running)
        for queue in self._waiting.values():
            for place in queue:
                if not self._held_up(place, users, repositories):
                    return place
        return None

    def _held_up(
        self, place: Place, users: Counter[tuple[OwnerKind, str]], repositories: Counter[str]
    ) -> str:
        """What keeps a place waiting although there may be room; empty when nothing does."""
        limits = self._limits
        if limits.per_user and users[place.owner] >= limits.per_user:
            return f"As many builds of yours run as may ({limits.per_user}); this one comes next."
        if limits.per_repository and repositories[place.repository] >= limits.per_repository:
            return "This repository is being built already; this build comes after that."
        return ""

    def _tell(self) -> None:
        users = Counter(place.owner for place in self._running)
        repositories = Counter(place.repository for place in self._running)
        for position, place in enumerate(self._in_order(), start=1):
            rounded = position if position <= _EXACT else -(-position // _EXACT) * _EXACT
            about = "" if position <= _EXACT else "about "
            if position != place.position:
                place.position = position
                place.move(position)
            sentence = (
                self._held_up(place, users, repositories)
                or f"Waiting in the queue, at position {about}{rounded}."
            )
            if sentence != place.told:
                place.told = sentence
                place.tell(sentence)

    def _in_order(self) -> Iterator[Place]:
        """Everyone who waits, in the order of their turns as far as it can be told."""
        queues = [iter(queue) for queue in self._waiting.values()]
        while queues:
            rest = []
            for queue in queues:
                place = next(queue, None)
                if place is not None:
                    yield place
                    rest.append(queue)
            queues = rest
