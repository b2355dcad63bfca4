"""One execution of a build request: its phase, its feed, its result, and who asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.feed import Feed
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner, OwnerKind
from jupyterhub_imagebuilder.builds.phases import Phase, may_follow
from jupyterhub_imagebuilder.builds.ports import BuildObserver, Store, Unobserved
from jupyterhub_imagebuilder.builds.record import BuildRecord, Kept
from jupyterhub_imagebuilder.builds.recording import Recorder, Shelf
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ImageBuilderError,
    Reason,
    StoreUnavailable,
)

_MESSAGES = {
    Phase.FETCHING: "Fetching the repository",
    Phase.BUILDING: "Building the image",
    Phase.PUSHING: "Pushing the image to the registry",
}
_ELSEWHERE = "Another image builder carried this out; its log cannot be shown here and now."


class News(Protocol):
    """Is told which build there is something new of.  Never raises, never waits."""

    def changed(self, build: Build) -> None:
        """It is new, entered a phase, or is another's as well."""

    def moved(self, build: Build) -> None:
        """It waits, at another place or with another sentence: that can be told later."""

    def gone(self, build: Build) -> None:
        """It was removed from everybody's history."""


class NoNews:
    """Where nobody wants to know."""

    def changed(self, build: Build) -> None:
        """Ignore it."""

    def moved(self, build: Build) -> None:
        """Ignore it."""

    def gone(self, build: Build) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told of a build beside its viewers."""

    observer: BuildObserver = field(default_factory=Unobserved)
    store: Store | None = None
    author: str = ""  #: of what is stored: this process
    news: News = field(default_factory=NoNews)


class Build:
    """A build as its viewers see it.  It ends once, with one terminal event.

    :param audience: is told of everything.
    :param kept: the build as an earlier process knew it; what was said then is in the store.
    """

    def __init__(
        self, request: BuildRequest, audience: Audience | None = None, kept: Kept | None = None
    ) -> None:
        self.request = request
        self._audience = audience or Audience()
        self.phase = Phase.WAITING
        self.message = "Waiting for the build to start"
        self.reason: Reason | None = None
        self.digest: str | None = None
        self.cached = False
        self.finished: float | None = None
        self.entered: dict[Phase, float] = {}  #: when each phase began
        self.uid: str | None = None  #: of its pod or container
        self.mark = kept.mark if kept else None  #: from which its log is to be followed
        self.position: int | None = None  #: in the queue, from 1; None: it does not wait there
        self.published = kept is not None and kept.published  #: whether everybody may see it
        self.forgotten = False  #: it was deleted: there is no news of it any more
        self.size = kept.size if kept else None  #: bytes of the image's layers; None: not known
        self.resumed = kept is not None  #: what it said before may not be known here
        self._owners: set[tuple[OwnerKind, str]] = {(request.owner.kind, request.owner.name)}
        if kept is not None:
            self._recall(kept.record)
        store, end = self._audience.store, kept.end if kept else 0
        if kept is not None and self.over:
            # what was said before the end, and is not there, is a hole
            end = max(end, kept.record.said - 1)
        shelf = Shelf(store, self.id) if store else None
        self._feed = Feed(
            shelf,
            first=end,
            phase=self._state() if kept and not self.over else None,
        )
        self._recorder = Recorder(shelf, self._feed, self._record, end) if shelf else None
        if kept is None:
            self._enter(self._state(), request.created)
        elif self.over:
            # whether it was stored or not, the feed of what is over ends
            self._feed.append(self._state())

    @property
    def id(self) -> str:
        """The build's id in the REST API."""
        return self.request.id

    @property
    def created(self) -> float:
        """When it was first asked for, in seconds since the epoch."""
        return self.request.created

    @property
    def over(self) -> bool:
        """Whether the terminal event has come."""
        return self.phase.terminal

    @property
    def image(self) -> str:
        """The image: pinned by digest once it is built, its name with the tag before."""
        image = self.request.image
        return image.at(self.digest) if self.digest else str(image)

    def join(self, owner: Owner) -> None:
        """Take ``owner`` among those whose build this is."""
        if (owner.kind, owner.name) not in self._owners:
            self._owners.add((owner.kind, owner.name))
            self._keep()
            self._audience.news.changed(self)

    def asked_by(self, viewer: Owner) -> bool:
        """Whether the viewer is one of those who asked for this build."""
        return (viewer.kind, viewer.name) in self._owners

    def belongs_to(self, viewer: Owner) -> bool:
        """Whether the viewer is the one who asked first."""
        owner = self.request.owner
        return (viewer.kind, viewer.name) == (owner.kind, owner.name)

    def visible_to(self, viewer: Owner) -> bool:
        """Whether the viewer asked for this build, may see all of them, or everybody may."""
        return viewer.admin or self.published or self.asked_by(viewer)

    def stand(self, position: int | None) -> None:
        """It has another place in the queue, or none any more."""
        self.position = position
        self._audience.news.moved(self)

    def weigh(self, size: int) -> None:
        """It is known by now how large its image is, in bytes."""
        self.size = size
        if not self.forgotten:
            self._audience.news.changed(self)

    def events(self, after: str | None = None) -> AsyncIterator[Event]:
        """The events so far, then live, until the terminal one; see :meth:`Feed.read`."""
        return self._feed.read(after)

    def hold(self, uid: str) -> None:
        """It has a pod or container now."""
        if uid != self.uid:
            self.uid = uid
            self._keep()

    def observe(self, event: Event, now: float) -> None:
        """Take what the executor saw: a line of the log, a gap, or news of an open phase.

        :param now: seconds since the epoch.
        """
        if self.over:
            return
        if isinstance(event, LogLine):
            if event.phase is not None and may_follow(self.phase, event.phase):
                self._enter(PhaseChanged(event.phase, _MESSAGES[event.phase]), now)
            self._feed.append(event)
            if self._recorder:
                self._recorder.line()
        elif isinstance(event, Gap):
            self._feed.append(event)
        elif may_follow(self.phase, event.phase) or (
            event.phase is self.phase and event.message != self.message
        ):
            self._enter(event, now)

    def checkpoint(self, mark: str) -> None:
        """What was observed so far need not be told again to whoever follows on from ``mark``."""
        self.mark = mark
        if self._recorder:
            self._recorder.mark(mark)

    def complete(self, digest: str, now: float, *, cached: bool = False) -> None:
        """End it: the registry answers for the image.  What is over stays as it ended."""
        if self.over:
            return
        self.digest = digest
        self.cached = cached
        message = "The image was built before" if cached else "The image is built"
        self._end(PhaseChanged(Phase.BUILT, message, image=self.image, digest=digest), now)

    def fail(self, error: ImageBuilderError, now: float) -> None:
        """End it without an image.  What is over stays as it ended."""
        if self.over:
            return
        phase = Phase.CANCELLED if error.reason is Reason.CANCELLED else Phase.FAILED
        self.reason = error.reason
        self._end(PhaseChanged(phase, error.message, reason=error.reason), now)

    async def look_up(self, now: float) -> None:
        """End it as another process has, if one has."""
        store = self._audience.store
        if store is None or self.over:
            return
        try:
            kept = await store.get(self.id)
        except StoreUnavailable:
            return
        if kept is None or not kept.record.phase.terminal or self.over:
            return
        end = kept.record
        self.observe(Gap(_ELSEWHERE), now)
        if end.digest is not None:
            self.complete(end.digest, now, cached=end.cached)
        else:
            self.fail(BuildFailed(end.message, end.reason), now)

    def release(self) -> None:
        """End the viewers' streams: this process stops, the build goes on."""
        if self._recorder:
            self._recorder.finish(over=self.over)
        self._feed.close()

    async def save(self) -> None:
        """Return when its state will outlive this process, as far as the store can say so."""
        if self._recorder:
            await self._recorder.save()

    def shelve(self) -> None:
        """Leave the log of what is over to the store, as far as it has it."""
        if self._recorder:
            self._feed.shelve(self._recorder.kept)

    def _end(self, event: PhaseChanged, now: float) -> None:
        self.finished = now
        self._enter(event, now)

    def _enter(self, event: PhaseChanged, now: float) -> None:
        new = event.phase not in self.entered
        self.entered.setdefault(event.phase, now)
        self.phase = event.phase
        self.message = event.message
        self._feed.append(event)
        if self._recorder and self.over:
            # the pages first: a store takes them for complete when it hears of the end
            self._recorder.finish(over=True)
            self._keep()
        elif self._recorder and new:
            # and a build before its pages; mere news of a phase goes with the next of them
            self._keep()
            self._recorder.news()
        self._audience.observer.entered(self.request, event, cached=self.cached)
        news = self._audience.news
        (news.changed if new or event.phase is not Phase.WAITING else news.moved)(self)

    def _keep(self) -> None:
        if self._recorder:
            self._recorder.save()

    def _state(self) -> PhaseChanged:
        """The phase as an event."""
        image = self.image if self.digest else None
        return PhaseChanged(self.phase, self.message, self.reason, image, self.digest)

    def _record(self) -> BuildRecord:
        return BuildRecord(
            request=self.request,
            author=self._audience.author,
            phase=self.phase,
            message=self.message,
            owners=frozenset(self._owners),
            entered=tuple(self.entered.items()),
            uid=self.uid,
            reason=self.reason,
            digest=self.digest,
            cached=self.cached,
            finished=self.finished,
            said=self._feed.end,
        )

    def _recall(self, record: BuildRecord) -> None:
        self.phase, self.message = record.phase, record.message
        self.reason, self.digest, self.cached = record.reason, record.digest, record.cached
        self.finished, self.uid = record.finished, record.uid
        self.entered = dict(record.entered)
        self._owners |= record.owners
