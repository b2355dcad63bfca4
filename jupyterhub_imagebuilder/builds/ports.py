"""What the domain needs from the world.

Each port has a contract suite in ``tests/contract`` that every implementation passes, the fakes
of the unit tests included.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest, ImageName, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import BuildFailed, Reason


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class RepoProvider(Protocol):
    """Knows one kind of repository host."""

    id: str

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """Read a repository's address; None when it is not one of this provider's.

        :param ref: what stood behind ``@``; None when nothing did.
        :raises SpecInvalid: it is this provider's, and wrong.
        """

    def from_spec(self, spec: str) -> RepoSpec:
        """Read a spec in BinderHub's form (``org/repo/ref``).

        :raises SpecInvalid: it is not of that form.
        """

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """Find out which commit the ref means now.

        :raises RefNotFound: repository or ref are not there, or not public.
        :raises SpecForbidden: the repository's host may not be asked.
        :raises ProviderUnavailable: the host does not answer.
        """


class Registry(Protocol):
    """Where images are kept."""

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        """The digest of the image's manifest (or index), None when there is no such image.

        :param fresh: no answer that is older than this question will do.
        :raises RegistryUnavailable: no answer, or one that says nothing: never "not there".
        :raises RegistryDenied: our credentials are refused.
        """

    async def check(self) -> None:
        """Return when the registry answers; raise as :meth:`digest` does."""


class ClaimState(StrEnum):
    """What the executor found under a build's name."""

    CREATED = "created"  #: nothing; it is ours and new
    RUNNING = "running"  #: the same build, in progress: adopt it
    FINISHED = "finished"  #: the same build, over: ask the registry, then share it or remove it
    GONE = "gone"  #: the same build, which was being deleted and is no more: claim again


@dataclass(frozen=True, slots=True)
class Claim:
    """A build that the executor has under way, or still holds."""

    request: BuildRequest  #: as it was first asked for; its id may differ from the caller's
    uid: str  #: identity of the pod (or container): every action names it, never the name alone
    state: ClaimState


@dataclass(frozen=True, slots=True)
class Ended:
    """The executor's last word on a build: it went through, or why not."""

    error: BuildFailed | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """The push says that it is done, some time before the build ends: ask the registry."""


Observation = PhaseChanged | LogLine | Gap | Pushed | Ended


class Executor(Protocol):
    """Carries out builds somewhere."""

    async def claim(self, request: BuildRequest) -> Claim:
        """Start the build, or find the one that has its name already.

        One that is being deleted is waited for, which may take long enough that what the caller
        knows of the registry is old; one of another key is an error.

        :raises BuildFailed: the name is taken by a build of another key, or the build cannot
            be started.
        :raises ExecutorUnavailable: no answer.
        """

    def follow(self, claim: Claim) -> AsyncGenerator[Observation, None]:
        """What the build does, from its first line, until :class:`Ended`, which is the last.

        Phases in it are open ones.  Closing the iterator only stops looking.
        """

    async def remove(self, claim: Claim) -> None:
        """Remove what the build left, by UID; gone already is fine."""

    async def found(self) -> list[Claim]:
        """Builds of ours that are there now, running and finished."""

    async def check(self) -> None:
        """Return when builds can be carried out; raise :class:`ExecutorUnavailable` if not."""


class RequestOutcome(StrEnum):
    """What a request for an image led to."""

    FOUND = "found"  #: the registry has the image
    JOINED = "joined"  #: a build under way will make it
    STARTED = "started"  #: a build began
    REFUSED = "refused"  #: an error, which has a reason


class BuildObserver(Protocol):
    """Is told what happens, at the moment it happens, to count it.  Never raises, never waits."""

    def requested(self, outcome: RequestOutcome, reason: Reason | None = None) -> None:
        """Somebody asked for an image; ``reason`` says why it was refused."""

    def claimed(self, request: BuildRequest, state: ClaimState) -> None:
        """A build got its claim: what was not created now is seen from its end, or its middle."""

    def entered(self, request: BuildRequest, event: PhaseChanged, *, cached: bool) -> None:
        """A build began, entered a phase or has news of it, or ended.

        :param cached: it is built, but nothing was left to do.
        """


class Unobserved:
    """The observer where nobody counts."""

    def requested(self, outcome: RequestOutcome, reason: Reason | None = None) -> None:
        """Ignore it."""

    def claimed(self, request: BuildRequest, state: ClaimState) -> None:
        """Ignore it."""

    def entered(self, request: BuildRequest, event: PhaseChanged, *, cached: bool) -> None:
        """Ignore it."""
