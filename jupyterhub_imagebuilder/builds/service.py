"""The use case: somebody asks for a repository, and gets its image.

One build per key: a request joins the build in flight; where the registry has the image, nothing
is built.  The requests of one process meet in its :class:`Executions`, those of several processes
on the build's name, which the executor claims.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyterhub_imagebuilder.builds import outlook
from jupyterhub_imagebuilder.builds.administration import Administration
from jupyterhub_imagebuilder.builds.adoption import Adoption
from jupyterhub_imagebuilder.builds.build import Audience, Build
from jupyterhub_imagebuilder.builds.catalog import Catalog
from jupyterhub_imagebuilder.builds.changes import Changes
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.executions import Executions
from jupyterhub_imagebuilder.builds.ids import is_rebuild
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner
from jupyterhub_imagebuilder.builds.outlook import Limits, Outlook
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import (
    BuildObserver,
    Clock,
    Executor,
    Registry,
    RepoProvider,
    RequestOutcome,
    Store,
    Unobserved,
)
from jupyterhub_imagebuilder.builds.queue import BuildQueue, QueueLimits
from jupyterhub_imagebuilder.builds.resolving import Resolver
from jupyterhub_imagebuilder.builds.suggestions import Suggestions
from jupyterhub_imagebuilder.builds.weighing import Scales
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    BuildNotFound,
    BuildUnderWay,
    ImageBuilderError,
    ImageUnknown,
    ServiceUnavailable,
    StoreUnavailable,
)

#: Seconds in which a build has to be stored before somebody is told of it.
_SAVE_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the admin decided about builds."""

    image_prefix: str  #: registry and start of the repository: ``registry.example.org/team/``
    settings: Mapping[str, object] = field(default_factory=dict)  #: what else changes the image
    platform: str = "linux/amd64"
    linger: float = 60.0  #: seconds for which what a finished build left stays
    history: int = 1000  #: builds that are over and in memory
    limits: QueueLimits = field(default_factory=QueueLimits)  #: on what runs and waits at once
    patience: Patience = field(default_factory=Patience)


class BuildService:
    """Resolves, looks up, builds, joins, adopts.

    Call :meth:`take_up` once before the first request and :meth:`stop` at the end; builds go on
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
        store: Store | None = None,
    ) -> None:
        self._resolver = Resolver(
            providers=providers,
            policy=policy,
            image_prefix=settings.image_prefix,
            settings=settings.settings,
            platform=settings.platform,
            clock=clock,
        )
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._observer = observer or Unobserved()
        # sorts behind those of the processes before this one
        author = f"{clock.now():017.6f}-{uuid.uuid4().hex[:8]}"
        self.changes = Changes(clock)  #: what changes, live
        self._audience = Audience(self._observer, store, author, self.changes)
        self._unobserved = Audience(Unobserved(), store, author, self.changes)
        self._catalog = Catalog(self._audience, settings.history)
        self._queue = BuildQueue(settings.limits, clock.now)
        self._executions = Executions(
            executor=executor,
            registry=registry,
            queue=self._queue,
            catalog=self._catalog,
            clock=clock,
            observer=self._observer,
            patience=settings.patience,
            linger=settings.linger,
            scales=Scales(registry, store, settings.platform),
        )
        self._adoption = Adoption(executor, self._executions, self._catalog, self._audience)
        #: what a form suggests
        self.suggestions = Suggestions(providers, policy, self._catalog, store)
        #: what only admins may
        self.administration = Administration(self._catalog, self.changes, store, clock, self.limits)
        self._store = store
        self._stopping = False

    @property
    def providers(self) -> Sequence[RepoProvider]:
        """Those that there are."""
        return self._resolver.providers

    @property
    def queued(self) -> int:
        """How many builds wait for their turn."""
        return len(self._queue)

    async def take_up(self) -> None:
        """Follow what is under way and nobody here follows; queue again what was queued.

        Once before the first request: what an earlier process left.  And again from time to time:
        what another process began, or what began although the answer to us was lost.

        :raises ExecutorUnavailable: it cannot be asked; call again.
        """
        await self._adoption.take_up()

    async def stop(self) -> None:
        """End all tasks and streams of this process; builds go on in the executor.

        A request that is under way gets no build any more, but an error.
        """
        self._stopping = True
        await self.changes.stop()
        await self._executions.stop()
        for build in self._catalog.here():
            build.release()

    async def request(self, text: str, owner: Owner, commit: str | None = None) -> Build:
        """Find or build the image of what a person typed.

        :param text: an address with a ref behind ``@``, or ``build:<provider>/<spec>``.
        :param commit: full id of the commit to build, whatever the ref means by now.
        :returns: a build that is over where the image was found, else the one that is under way.
        :raises ImageBuilderError: it cannot be built, or cannot be told.
        """
        try:
            return await self._request(text, owner, commit)
        except ImageBuilderError as error:
            self._observer.requested(RequestOutcome.REFUSED, error.reason)
            raise

    async def request_spec(self, provider: str, spec: str, owner: Owner) -> Build:
        """The same for a spec in BinderHub's form."""
        return await self.request(f"build:{provider}/{spec}", owner)

    async def look(self, text: str, owner: Owner, commit: str | None = None) -> Outlook:
        """What :meth:`request` would do; nothing is begun, joined or kept.

        :raises ImageBuilderError: it would be refused, or it cannot be told.
        """
        spec = self._resolver.read(text)
        resolved = await self._resolver.resolve(spec, commit)
        request = self._resolver.request(resolved, owner)
        digest, seconds, familiar = await asyncio.gather(
            self._registry.digest(request.image),
            outlook.expected(self._store, spec.repository),
            outlook.familiar(self._store, self._catalog.here(), spec.repository, owner),
        )
        execution = self._executions.of(request.key)
        return Outlook(
            resolved=resolved,
            image=request.image,
            digest=digest,
            under_way=execution is not None,
            build=outlook.visible(execution.build if execution else None, owner),
            seconds=seconds,
            limits=self.limits(owner, spec.repository),
            familiar=familiar,
        )

    def limits(self, owner: Owner, repository: str | None = None) -> Limits:
        """Which limits are in force for an owner, and how much of them is used.

        :param repository: canonical URL of one whose builds are counted, too.
        """
        used = self._queue.usage((owner.kind, owner.name), repository)
        return Limits(self._settings.limits, used, self._settings.patience.queue)

    async def get(self, build_id: str, viewer: Owner) -> Build:
        """The build of that id.

        :raises BuildNotFound: there is none that the viewer may see.
        :raises StoreUnavailable: it is not in memory, and the store does not answer.
        :raises ServiceUnavailable: another process looks after it.
        """
        build = await self._catalog.get(build_id)
        if build is None or not build.visible_to(viewer):
            raise BuildNotFound("There is no such build, or it is not yours.")
        return build

    async def list(self, viewer: Owner, limit: int, before: float | None = None) -> list[Build]:
        """The newest builds that the viewer may see, newest first.

        :param before: only those created earlier, in seconds since the epoch.
        """
        return await self._catalog.of(viewer, limit, before)

    async def cancel(self, build_id: str, viewer: Owner) -> Build:
        """End a build for everyone who waits for it, and return it when it has ended.

        Cancelling one that is over changes nothing.

        :raises BuildNotFound: there is none that the viewer may see.
        :raises AccessDenied: somebody else asked for it first.
        """
        build = await self._own(build_id, viewer, "stop it")
        execution = self._executions.of(build.request.key)
        if execution is not None and execution.build is build:
            execution.stop(viewer.name)
            await execution.ended.wait()
            await self._kept(build)
        return build

    async def rebuild(self, build_id: str, viewer: Owner) -> Build:
        """Build the commit of an earlier build again, although its image may be there.

        The image's tag moves when that has succeeded; what runs has the old image, by its digest.

        :returns: the build that does it, or the one of that commit that is under way already.
        :raises BuildNotFound: there is none that the viewer may see.
        :raises AccessDenied: somebody else asked for it first.
        :raises ImageBuilderError: it may not be built any more, or not now.
        """
        earlier = await self._own(build_id, viewer, "have it built again")
        try:
            request = self._resolver.request(earlier.request.resolved, viewer, rebuild=True)
            await self._settled(request.key)
            if (build := await self._joined(request)) is not None:
                await self._kept(build)
                return build
            return await self._begun(request)
        except ImageBuilderError as error:
            self._observer.requested(RequestOutcome.REFUSED, error.reason)
            raise

    async def forget(self, build_id: str, viewer: Owner) -> None:
        """Remove a build that is over from everybody's history; its image stays.

        :raises BuildNotFound: there is none that the viewer may see.
        :raises AccessDenied: somebody else asked for it first, or an admin published it.
        :raises BuildUnderWay: it is not over.
        :raises StoreUnavailable: it cannot be removed now.
        """
        build = await self._own(build_id, viewer, "delete it")
        if not build.over:
            raise BuildUnderWay("This build is still under way; cancel it before you delete it.")
        if build.published and not viewer.admin:
            raise AccessDenied("This build is published; only an admin may delete it.")
        await self._settled(build.request.key)
        await self._catalog.forget(build)

    async def vouch(self, image: str, viewer: Owner) -> str:
        """The image name again, if a finished build that the viewer may see made it.

        :param image: ``registry/repository@sha256:…``.
        :raises ImageUnknown: nobody knows of such a build.
        :raises StoreUnavailable: there may be one, but the store does not answer.
        """
        if not any(build.visible_to(viewer) for build in await self._catalog.made(image)):
            raise ImageUnknown(
                "This image was not built for you here; choose the repository it was built from."
            )
        return image

    async def _own(self, build_id: str, viewer: Owner, verb: str) -> Build:
        """A build with which the viewer may do more than look."""
        build = await self.get(build_id, viewer)
        if not viewer.admin and not build.belongs_to(viewer):
            raise AccessDenied(
                f"Only the one who asked for this build first, or an admin, may {verb}."
            )
        return build

    async def _settled(self, key: str) -> None:
        """Wait until a build that is over has left nothing to do."""
        while (execution := self._executions.of(key)) is not None and execution.build.over:
            await execution.ended.wait()

    async def _request(self, text: str, owner: Owner, commit: str | None) -> Build:
        resolved = await self._resolver.resolve(self._resolver.read(text), commit)
        request = self._resolver.request(resolved, owner)
        # while an image is built again, the one that is there does for everybody else
        if (build := await self._joined(request, rebuilds=False)) is not None:
            await self._kept(build)
            return build
        digest = await self._registry.digest(request.image)
        # another request may have come as far as this one while the registry was asked; where
        # there is nothing to join, nothing is awaited from here to begin
        if (build := await self._joined(request, rebuilds=digest is None)) is not None:
            await self._kept(build)
            return build
        if digest is not None:
            self._observer.requested(RequestOutcome.FOUND)
            return self._found(request, digest)
        return await self._begun(request)

    async def _begun(self, request: BuildRequest) -> Build:
        """A new build, where there is none to join; nothing is awaited before it has begun."""
        self._queue.check_room()
        self._observer.requested(RequestOutcome.STARTED)
        build = Build(request, self._audience)
        execution = self._executions.begin(build)
        if not await self._kept(build) and execution.waits:
            execution.stop("The image builder")
            raise StoreUnavailable(
                "The build has to wait, and what waits cannot be kept now; please try again later."
            )
        return build

    async def _kept(self, build: Build) -> bool:
        """Whether what somebody is told of a build now outlives this process; waits for that."""
        keeping = asyncio.create_task(build.save())
        try:
            await asyncio.wait({keeping}, timeout=_SAVE_PATIENCE)
            return keeping.done()
        finally:
            keeping.cancel()

    async def _joined(self, request: BuildRequest, *, rebuilds: bool = True) -> Build | None:
        """The build under way for that key; one that is being stopped is waited for.

        :param rebuilds: take one as well that makes the image again.
        :raises ServiceUnavailable: this process stops, and begins nothing any more.
        """
        while (execution := self._executions.of(request.key)) is not None and not self._stopping:
            if not rebuilds and is_rebuild(execution.build.id):
                return None
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
        build = self._catalog.made_by(request, digest)
        if build is not None:
            build.join(request.owner)
            return build
        build = Build(request, self._unobserved)
        build.complete(digest, self._clock.now(), cached=True)
        self._catalog.add(build)
        self._executions.weigh(build)
        return build
