"""The use case: somebody asks for a repository, and gets its image.

One build per key: a request joins the build in flight; where the registry has the image, nothing
is built.  Requests, joins and look-ups of one process meet in :attr:`BuildService._running`, those
of several processes on the build's name, which the executor claims.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_imagebuilder.builds import naming
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.execution import Execution, Patience
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    Owner,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.parse import parse, provider_of
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import (
    BuildObserver,
    Claim,
    Clock,
    Executor,
    Registry,
    RepoProvider,
    RequestOutcome,
    Unobserved,
)
from jupyterhub_imagebuilder.builds.queue import BuildQueue, QueueLimits
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildNotFound,
    ExecutorUnavailable,
    ImageBuilderError,
    ImageUnknown,
    ServiceUnavailable,
    SpecInvalid,
)

log = logging.getLogger(__name__)

_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Longest time between attempts to remove what a finished build left, in seconds.
_REMOVE_DELAY = 60.0
#: Seconds for which the end of a failed build waits until its remains are removed.
_REMOVE_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the admin decided about builds."""

    image_prefix: str  #: registry and start of the repository: ``registry.example.org/team/``
    settings: Mapping[str, object] = field(default_factory=dict)  #: what else changes the image
    platform: str = "linux/amd64"
    linger: float = 60.0  #: seconds for which what a finished build left stays
    history: int = 1000  #: finished builds that are remembered
    limits: QueueLimits = field(default_factory=QueueLimits)  #: on what runs and waits at once
    patience: Patience = field(default_factory=Patience)


class BuildService:
    """Resolves, looks up, builds, joins, adopts.

    Call :meth:`start` once before the first request and :meth:`stop` at the end; builds go on
    without this process, and the next one adopts them.
    """

    def __init__(
        self,
        *,
        providers: Sequence[RepoProvider],
        registry: Registry,
        executor: Executor,
        policy: SpecPolicy,
        settings: BuildSettings,
        clock: Clock,
        observer: BuildObserver | None = None,
    ) -> None:
        self._providers = providers
        self._registry = registry
        self._executor = executor
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._observer = observer or Unobserved()
        self._builds: dict[str, Build] = {}  # by id, oldest first
        self._running: dict[str, Execution] = {}  # by key: the build that requests join
        self._queue = BuildQueue(settings.limits)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def queued(self) -> int:
        """How many builds wait for their turn."""
        return len(self._queue)

    async def start(self) -> None:
        """Adopt what an earlier process left under way.

        :raises ExecutorUnavailable: it cannot be asked; call again.
        """
        for claim in await self._executor.found():
            if claim.request.key not in self._running:
                log.info("adopting %s (%s)", claim.request.name, claim.state)
                self._begin(Build(claim.request, self._observer), claim)

    async def stop(self) -> None:
        """End all tasks and streams of this process; builds go on in the executor.

        A request that is under way gets no build any more, but an error.
        """
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for build in self._builds.values():
            build.release()

    async def request(self, text: str, owner: Owner, commit: str | None = None) -> Build:
        """Find or build the image of what a person typed.

        :param text: an address with a ref behind ``@``, or ``build:<provider>/<spec>``.
        :param commit: full id of the commit to build, whatever the ref means by now.
        :returns: a build that is over where the image was found, else the one that is under way.
        :raises ImageBuilderError: it cannot be built, or cannot be told.
        """
        try:
            return await self._request(parse(text, self._providers), owner, commit)
        except ImageBuilderError as error:
            self._observer.requested(RequestOutcome.REFUSED, error.reason)
            raise

    async def request_spec(self, provider: str, spec: str, owner: Owner) -> Build:
        """The same for a spec in BinderHub's form."""
        return await self.request(f"build:{provider}/{spec}", owner)

    def get(self, build_id: str, viewer: Owner) -> Build:
        """The build of that id.

        :raises BuildNotFound: there is none that the viewer may see.
        """
        build = self._builds.get(build_id)
        if build is None or not build.visible_to(viewer):
            raise BuildNotFound("There is no such build, or it is not yours.")
        return build

    def list(self, viewer: Owner) -> list[Build]:
        """The builds that the viewer may see, newest first."""
        return [b for b in reversed(self._builds.values()) if b.visible_to(viewer)]

    async def cancel(self, build_id: str, viewer: Owner) -> Build:
        """End a build for everyone who waits for it, and return it when it has ended.

        Cancelling one that is over changes nothing.

        :raises BuildNotFound: there is none that the viewer may see.
        :raises AccessDenied: somebody else asked for it first.
        """
        build = self.get(build_id, viewer)
        asked = build.request.owner
        if not viewer.admin and (viewer.kind, viewer.name) != (asked.kind, asked.name):
            raise AccessDenied(
                "Only the one who asked for this build first, or an admin, may stop it."
            )
        execution = self._running.get(build.request.key)
        if execution is not None and execution.build is build:
            execution.stop(viewer.name)
            await execution.ended.wait()
        return build

    def vouch(self, image: str, viewer: Owner) -> str:
        """The image name again, if a finished build that the viewer may see made it.

        :param image: ``registry/repository@sha256:…``.
        :raises ImageUnknown: nobody knows of such a build.
        """
        for build in self._builds.values():
            if build.digest and build.image == image and build.visible_to(viewer):
                return image
        raise ImageUnknown(
            "This image was not built for you here; choose the repository it was built from."
        )

    async def _request(self, spec: RepoSpec, owner: Owner, commit: str | None) -> Build:
        self._policy.check(spec)
        request = self._new_request(await self._resolve(spec, commit), owner)
        if (build := await self._joined(request)) is not None:
            return build
        digest = await self._registry.digest(request.image)
        # another request may have come as far as this one while the registry was asked; where
        # there is nothing to join, nothing is awaited from here to _begin
        if (build := await self._joined(request)) is not None:
            return build
        if digest is not None:
            self._observer.requested(RequestOutcome.FOUND)
            return self._found(request, digest)
        self._queue.check_room()
        self._observer.requested(RequestOutcome.STARTED)
        return self._begin(Build(request, self._observer))

    async def _resolve(self, spec: RepoSpec, commit: str | None) -> ResolvedRef:
        if commit is None:
            return await provider_of(spec.provider, self._providers).resolve(spec)
        if not _FULL_COMMIT.fullmatch(commit):
            raise SpecInvalid("The commit has to be a full commit id of 40 hexadecimal digits.")
        return ResolvedRef(spec, commit)

    def _new_request(self, resolved: ResolvedRef, owner: Owner) -> BuildRequest:
        s = self._settings
        key = naming.build_key(resolved, s.settings, s.platform)
        return BuildRequest(
            id=uuid.uuid4().hex,
            key=key,
            name=naming.build_name(resolved, key),
            resolved=resolved,
            image=naming.image_name(resolved, key, s.image_prefix),
            owner=owner,
            created=self._clock.now(),
        )

    async def _joined(self, request: BuildRequest) -> Build | None:
        """The build under way for that key; one that is being stopped is waited for.

        :raises ServiceUnavailable: this process stops, and begins nothing any more.
        """
        while (execution := self._running.get(request.key)) is not None and not self._stopping:
            if not execution.stopping:
                execution.build.join(request.owner)
                self._observer.requested(RequestOutcome.JOINED)
                return execution.build
            await execution.ended.wait()
        if self._stopping:
            raise ServiceUnavailable("The image builder is stopping; please try again in a minute.")
        return None

    def _found(self, request: BuildRequest, digest: str) -> Build:
        """The registry has the image: the build that made it, or a record of the find."""
        for build in reversed(self._builds.values()):
            if build.request.key == request.key and build.digest == digest:
                build.join(request.owner)
                return build
        build = Build(request)
        build.complete(digest, self._clock.now(), cached=True)
        self._remember(build)
        return build

    def _begin(self, build: Build, claim: Claim | None = None) -> Build:
        self._remember(build)
        execution = Execution(
            build,
            claim,
            executor=self._executor,
            registry=self._registry,
            queue=self._queue,
            patience=self._settings.patience,
            clock=self._clock,
            observer=self._observer,
        )
        self._running[build.request.key] = execution
        self._spawn(self._carry_out(execution), build.request.name)
        return build

    def _remember(self, build: Build) -> None:
        self._builds[build.id] = build
        excess = len(self._builds) - self._settings.history
        for old in [b.id for b in self._builds.values() if b.over][: max(excess, 0)]:
            del self._builds[old]

    async def _carry_out(self, execution: Execution) -> None:
        """See one build through to its terminal event."""
        build = execution.build
        try:
            error = await execution.attempt()
            if execution.claim is not None:
                # what failed goes at once, before anyone hears of it: a pod that cannot start is
                # still there, and the next try would meet it; the rest stays for others to see
                linger = 0.0 if error else self._settings.linger
                removal = self._spawn(
                    self._remove(execution.claim, linger), f"remove {execution.claim.uid}"
                )
                if error:
                    await asyncio.wait({removal}, timeout=_REMOVE_PATIENCE)
            if error is not None:
                build.fail(error, self._clock.now())
        finally:
            execution.leave_queue()
            # only now: a request that comes later must not join a build that is over
            del self._running[build.request.key]
            execution.ended.set()

    async def _remove(self, claim: Claim, linger: float) -> None:
        """Remove what a build left, in ``linger`` seconds, and try until it is done."""
        await self._clock.sleep(linger)
        delay = 1.0
        while True:
            try:
                await self._executor.remove(claim)
            except ExecutorUnavailable as error:
                log.warning("cannot remove %s yet: %s", claim.request.name, error.message)
                await self._clock.sleep(delay)
                delay = min(delay * 2, _REMOVE_DELAY)
            else:
                return

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
