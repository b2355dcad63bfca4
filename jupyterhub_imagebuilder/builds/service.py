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
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_imagebuilder.builds import naming
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.parse import parse, provider_of
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import (
    Claim,
    ClaimState,
    Clock,
    Ended,
    Executor,
    Pushed,
    Registry,
    RepoProvider,
)
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildFailed,
    BuildNotFound,
    ExecutorUnavailable,
    ImageBuilderError,
    ImageUnknown,
    Reason,
    RegistryDenied,
    RegistryUnavailable,
    SpecInvalid,
)

log = logging.getLogger(__name__)

_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: How often the name of a build that is over may be met before its build is given up.
_CLAIM_ATTEMPTS = 5
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
    confirm_timeout: float = 30.0  #: seconds within which a pushed image has to be readable
    history: int = 1000  #: finished builds that are remembered


@dataclass(slots=True)
class _Stop:
    """A wish to end a build, and that it has ended."""

    wished: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    by: str = ""


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
    ) -> None:
        self._providers = providers
        self._registry = registry
        self._executor = executor
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._builds: dict[str, Build] = {}  # by id, oldest first
        self._running: dict[str, Build] = {}  # by key: the build that requests join
        self._stops: dict[str, _Stop] = {}  # by id of a build that is under way
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Adopt what an earlier process left under way.

        :raises ExecutorUnavailable: it cannot be asked; call again.
        """
        for claim in await self._executor.found():
            if claim.request.key not in self._running:
                log.info("adopting %s (%s)", claim.request.name, claim.state)
                self._begin(Build(claim.request), claim)

    async def stop(self) -> None:
        """End all tasks and streams of this process; builds go on in the executor."""
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
        return await self._request(parse(text, self._providers), owner, commit)

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
        stop = self._stops.get(build_id)
        if stop is not None:
            if not stop.wished.is_set():
                stop.by = viewer.name
                stop.wished.set()
            await stop.ended.wait()
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
            return self._found(request, digest)
        return self._begin(Build(request))

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
        """The build under way for that key; one that is being stopped is waited for."""
        while (build := self._running.get(request.key)) is not None:
            stop = self._stops[build.id]
            if not stop.wished.is_set():
                build.join(request.owner)
                return build
            await stop.ended.wait()
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
        self._running[build.request.key] = build
        self._stops[build.id] = _Stop()
        self._spawn(self._carry_out(build, claim), build.request.name)
        return build

    def _remember(self, build: Build) -> None:
        self._builds[build.id] = build
        excess = len(self._builds) - self._settings.history
        for old in [b.id for b in self._builds.values() if b.over][: max(excess, 0)]:
            del self._builds[old]

    async def _carry_out(self, build: Build, claim: Claim | None) -> None:
        """See one build through to its terminal event."""
        try:
            error = await self._attempt(build, claim)
            if error is not None:
                build.fail(error, self._clock.now())
        finally:
            # only now: a request that comes later must not join a build that is over
            del self._running[build.request.key]
            self._stops.pop(build.id).ended.set()

    async def _attempt(self, build: Build, claim: Claim | None) -> ImageBuilderError | None:
        """Try to get the image; what is returned is why there is none."""
        error: ImageBuilderError | None = None
        try:
            if claim is None:
                claim = await self._claim(build)
            if claim is not None:
                await self._unless_stopped(build, claim)
        except ImageBuilderError as why:
            log.info("%s: %s: %s", build.request.name, why.reason, why.message)
            error = why
        except Exception:
            log.exception("%s: a fault of the image builder", build.request.name)
            error = BuildFailed(
                "The image builder made a mistake; its log says more. Please try again.",
                Reason.INTERNAL,
            )
        if claim is not None:
            # what failed goes at once, before anyone hears of it: a pod that cannot start is still
            # there, and the next try would meet it; the rest stays for other processes to see
            linger = 0.0 if error else self._settings.linger
            removal = self._spawn(self._remove(claim, linger), f"remove {claim.uid}")
            if error:
                await asyncio.wait({removal}, timeout=_REMOVE_PATIENCE)
        return error

    async def _unless_stopped(self, build: Build, claim: Claim) -> None:
        """See a build through, up to the moment at which somebody wants it to end.

        Only this is cut short: a claim that is under way has to say which pod it made.
        """
        stop = self._stops[build.id]
        stopping = asyncio.create_task(stop.wished.wait())
        working = asyncio.create_task(self._see_through(build, claim))
        if stop.wished.is_set():
            working.cancel()
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        if not working.cancelled():
            working.result()
        if not build.over:
            raise BuildFailed(f"{stop.by} stopped this build.", Reason.CANCELLED)

    async def _claim(self, build: Build) -> Claim | None:
        """Start the build or adopt it; None when it turns out to be built already."""
        for _ in range(_CLAIM_ATTEMPTS):
            claim = await self._executor.claim(build.request)
            if claim.state is not ClaimState.FINISHED:
                return claim
            digest = await self._registry.digest(build.request.image, fresh=True)
            if digest is not None:
                build.complete(digest, self._clock.now(), cached=True)
                return None
            await self._executor.remove(claim)
        raise BuildFailed(
            "Another build of this repository keeps getting in the way; please try again.",
            Reason.EXECUTOR_LOST,
        )

    async def _see_through(self, build: Build, claim: Claim) -> None:
        """Follow the build to its end, or to the moment from which the registry has its image."""
        async with aclosing(self._executor.follow(claim)) as observations:
            async for observation in observations:
                if isinstance(observation, Pushed):
                    digest = await self._pushed(build.request.image)
                elif not isinstance(observation, Ended):
                    build.observe(observation)
                    continue
                elif observation.error is not None:
                    raise observation.error
                else:
                    digest = await self._confirm(build.request.image)
                if digest is not None:
                    build.complete(digest, self._clock.now())
                    return
        raise BuildFailed("The build ended without a word.", Reason.EXECUTOR_LOST)

    async def _pushed(self, image: ImageName) -> str | None:
        """The digest of what was just pushed; None leaves the question to the build's end."""
        try:
            return await self._registry.digest(image, fresh=True)
        except (RegistryUnavailable, RegistryDenied) as error:
            log.info("%s: cannot be read back yet: %s", image, error.message)
            return None

    async def _confirm(self, image: ImageName) -> str:
        """The digest that was pushed: a registry may need a moment until it can be read back."""
        deadline = self._clock.now() + self._settings.confirm_timeout
        delay = 0.1
        while True:
            try:
                digest = await self._registry.digest(image, fresh=True)
            except RegistryUnavailable:
                if self._clock.now() >= deadline:
                    raise
            else:
                if digest is not None:
                    return digest
                if self._clock.now() >= deadline:
                    raise BuildFailed(
                        "The image was built, but it cannot be read back from the registry.",
                        Reason.PUSH_FAILED,
                    )
            await self._clock.sleep(delay)
            delay = min(delay * 2, 2.0)

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
