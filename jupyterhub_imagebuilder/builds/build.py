"""One execution of a build request: its phase, its feed, its result, and who asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.feed import Feed
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner, OwnerKind
from jupyterhub_imagebuilder.builds.phases import Phase, may_follow
from jupyterhub_imagebuilder.builds.ports import BuildObserver, Unobserved
from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason

_MESSAGES = {
    Phase.FETCHING: "Fetching the repository",
    Phase.BUILDING: "Building the image",
    Phase.PUSHING: "Pushing the image to the registry",
}


class Build:
    """A build as its viewers see it.  It ends once, with one terminal event.

    :param observer: is told of its phases.
    """

    def __init__(self, request: BuildRequest, observer: BuildObserver | None = None) -> None:
        self.request = request
        self._observer = observer or Unobserved()
        self.phase = Phase.WAITING
        self.message = "Waiting for the build to start"
        self.reason: Reason | None = None
        self.digest: str | None = None
        self.cached = False
        self.finished: float | None = None
        self._feed = Feed()
        self._owners: set[tuple[OwnerKind, str]] = set()
        self.join(request.owner)
        self._enter(PhaseChanged(self.phase, self.message))

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
        self._owners.add((owner.kind, owner.name))

    def visible_to(self, viewer: Owner) -> bool:
        """Whether the viewer asked for this build, or may see all of them."""
        return viewer.admin or (viewer.kind, viewer.name) in self._owners

    def events(self, after: str | None = None) -> AsyncIterator[Event]:
        """The events so far, then live, until the terminal one; see :meth:`Feed.read`."""
        return self._feed.read(after)

    def observe(self, event: Event) -> None:
        """Take what the executor saw: a line of the log, a gap, or news of an open phase."""
        if self.over:
            return
        if isinstance(event, LogLine):
            if event.phase is not None and may_follow(self.phase, event.phase):
                self._enter(PhaseChanged(event.phase, _MESSAGES[event.phase]))
            self._feed.append(event)
        elif isinstance(event, Gap):
            self._feed.append(event)
        elif may_follow(self.phase, event.phase) or (
            event.phase is self.phase and event.message != self.message
        ):
            self._enter(event)

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

    def release(self) -> None:
        """End the viewers' streams: this process stops, the build goes on."""
        self._feed.close()

    def _end(self, event: PhaseChanged, now: float) -> None:
        self.finished = now
        self._enter(event)

    def _enter(self, event: PhaseChanged) -> None:
        self.phase = event.phase
        self.message = event.message
        self._feed.append(event)
        self._observer.entered(self.request, event, cached=self.cached)
