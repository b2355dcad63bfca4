"""What the domain needs from the world.

Each port has a contract suite in ``tests/contract`` that every implementation passes, the fakes
of the unit tests included.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    Refs,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.record import BuildRecord, Figures, Kept, Page, Wanted
from jupyterhub_imagebuilder.errors import BuildFailed, Reason

#: A commit of Git, in full.
FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class RepoProvider(Protocol):
    """Knows one kind of repository host."""

    id: str
    #: What :meth:`resolve` names as the commit; a saved one of another form is not built.
    commit_form: re.Pattern[str] = FULL_COMMIT

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

    async def refs(self, spec: RepoSpec) -> Refs:
        """Branches and tags of the repository, 500 at most; raises as :meth:`resolve` does."""


class Registry(Protocol):
    """Where images are kept."""

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        """The digest of the image's manifest (or index), None when there is no such image.

        :param fresh: no answer that is older than this question will do.
        :raises RegistryUnavailable: no answer, or one that says nothing: never "not there".
        :raises RegistryDenied: our credentials are refused.
        """

    async def prepare(self, image: ImageName) -> None:
        """Make sure that the image can be pushed, as far as that is ours; before each build.

        Some registries want a repository to be there before the first push.

        :raises RegistryUnavailable: no answer.
        :raises RegistryDenied: our credentials do not allow it.
        """

    async def remove(self, image: ImageName) -> None:
        """Delete the image's tag, and no other; gone already is fine.

        :raises RegistryUnavailable: no answer: the tag is there, or not.
        :raises RegistryDenied: it cannot be deleted; the tag is still there.
        """

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:
        """Bytes of the image's compressed layers; None when nobody can tell.

        Where no registry is configured, of the image as the engine has it.

        :param platform: which image of an index is meant: ``linux/amd64``.
        :raises RegistryUnavailable: no answer.
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
    #: whether another process would find it; where not, what it did is lost with this one
    there: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The executor's last word on a build: it went through, or why not."""

    error: BuildFailed | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """The push says that it is done, some time before the build ends: ask the registry."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything before this can be left out when the build is followed again from ``mark``.

    Told behind each record of the log; a record can be several lines.
    """

    mark: str


Observation = PhaseChanged | LogLine | Gap | Checkpoint | Pushed | Ended


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

    def follow(self, claim: Claim, mark: str | None = None) -> AsyncGenerator[Observation, None]:
        """What the build does, until :class:`Ended`, which is the last.

        Phases in it are open ones.  Closing the iterator only stops looking.

        :param mark: of a :class:`Checkpoint`, which may be another process's: only what comes
            behind it is told, and lines go on being numbered from there.  Where that place cannot
            be found any more, a :class:`Gap` comes first, and no index is used twice.  None, and
            a mark of another UID, mean the first line.
        """

    async def remove(self, claim: Claim) -> None:
        """Remove what the build left, by UID; gone already is fine."""

    async def found(self) -> list[Claim]:
        """Builds of ours that are there now, running and finished."""

    async def check(self) -> None:
        """Return when builds can be carried out; raise :class:`ExecutorUnavailable` if not."""


class Store(Protocol):
    """Remembers builds; Kubernetes and the registry are the truth for those that run.

    Writes take effect in the order of the calls, which return at once: what they return is waited
    for only by those who need to know that it will outlive the process.  It never raises: what the
    database does not take now is kept elsewhere and handed over later, or dropped, and then
    reading shows a hole.
    """

    def save(self, record: BuildRecord) -> Awaitable[None]:
        """Keep the state of a build.

        The first state that is terminal stays; later ones add owners to it, nothing else.  A
        build has one author: a later one takes it over, and the pages that are there are dropped;
        an earlier one, who may still be alive, adds owners, and that it is built or cancelled;
        where that one fails, the later one may succeed.
        """

    def append(self, record: BuildRecord, page: Page) -> Awaitable[None]:
        """Keep a piece of a build's feed; of a build that was saved before.

        From others than the build's author nothing is taken, nor what is there already.
        """

    async def unfinished(self, author: str) -> list[Kept]:
        """Builds whose end was not kept, oldest first; from now on ``author`` is theirs.

        What earlier ones wrote stays, and is what is returned.

        :raises StoreUnavailable: no answer.  So do all that read.
        """

    async def newest(
        self, limit: int, *, owner: Owner | None = None, before: float | None = None
    ) -> list[Kept]:
        """The newest builds by their creation, newest first.

        :param owner: only those that this one asked for, and those that are published.
        :param before: only those that were created earlier, in seconds since the epoch.
        """

    async def get(self, build_id: str) -> Kept | None:
        """One build; None when it is not known."""

    async def made(self, image: str, digest: str) -> list[Kept]:
        """Builds that ended with this image: published ones, then newest first; 100 at most.

        :param image: registry and repository, without tag and digest.
        """

    async def wanted(self, owner: Owner, limit: int) -> list[Wanted]:
        """What the owner asked for, each repository and ref once, newest first."""

    async def familiar(self, repository: str, owner: Owner) -> bool:
        """Whether the owner has an image of that repository, or one of its is published.

        :param repository: its canonical URL.
        """

    async def figures(self, since: float) -> Figures:
        """What is kept, in numbers.

        :param since: failures are counted from then on, in seconds since the epoch.
        """

    async def publish(self, build_id: str, *, published: bool) -> None:
        """Put a build that is kept into everybody's list, where it stays, or take it out.

        Waits until it is done.
        """

    async def weigh(self, build_id: str, size: int) -> None:
        """Keep the size of a build's image, in bytes; waits until it is done."""

    async def built(self, repository: str, limit: int) -> list[Kept]:
        """The newest builds of a repository that made an image, newest first; not what was found.

        :param repository: its canonical URL.
        """

    async def forget(self, build_id: str) -> None:
        """Remove a build that is over, with all that was said; gone already is fine.

        Of one whose end was not kept everything stays.  Waits until it is done.
        """

    async def page(self, build_id: str, number: int) -> Page | None:
        """What was said from event ``number`` on, or from the first one behind it that was kept.

        As many events as the store likes; None when there are no more.
        """

    async def seek(self, build_id: str, source: str, index: int) -> int | None:
        """A number not behind that of the last line of ``source`` up to ``index``.

        And not far before it; None when no such line was kept.
        """

    async def check(self) -> None:
        """Return when the database answers."""


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
