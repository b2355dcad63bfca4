"""The executor that builds in containers of one engine: its settings, and the domain's port."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, Integer, Unicode, default

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Clock, Observation
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.engine import Engine, Json
from jupyterhub_imagebuilder.executors.docker.following import Follower, Patience
from jupyterhub_imagebuilder.executors.docker.images import EngineImages
from jupyterhub_imagebuilder.executors.docker.launching import Launch, Order, name_taken
from jupyterhub_imagebuilder.executors.docker.tidying import Limits, Tidier
from jupyterhub_imagebuilder.executors.settings import ExecutorSettings

_CLAIM_ATTEMPTS = 10
#: Seconds that a container which is being removed may keep its name.
_REMOVAL = 120.0
_POLL = 0.5
_GIGABYTE = 10**9


class DockerExecutor(ExecutorSettings):
    """Builds in containers of one engine, which has the images, too.

    :param clock: time.
    :param engine: the engine; None connects by the settings.
    """

    docker_host = Unicode(
        help="The engine: `unix:///path` or `tcp://host:port`.  Default: `$DOCKER_HOST`, or else"
        " Docker's own socket."
    ).tag(config=True)
    engine_socket = Unicode(
        help="Path of the engine's socket on the engine's machine; mounted into the containers"
        " that build.  Default: as in `docker_host`."
    ).tag(config=True)
    push_config_file = Unicode(
        help="File with the credentials for the registry, as Docker's `config.json`; copied into"
        " the containers that build."
    ).tag(config=True)
    memory_limit = Integer(
        2 * _GIGABYTE,
        min=0,
        help="Bytes of memory for the container that drives a build; 0 is no limit.  The build's"
        " own steps run in the engine: bound them with `buildx_args` (`--cgroup-parent=`).",
    ).tag(config=True)
    cpu_limit = Float(
        0.0, min=0.0, help="CPUs for the container that drives a build; 0 is no limit."
    ).tag(config=True)
    network = Unicode(
        help="The engine's network in which containers clone.  Default: the engine's own."
    ).tag(config=True)
    tidy = Bool(
        True,  # noqa: FBT003
        help="Whether old images of ours, what failed builds left, and the engine's build cache"
        " are removed from time to time.  Images of others are never touched.",
    ).tag(config=True)
    tidy_interval = Integer(3600, min=1, help="Seconds between two times.").tag(config=True)
    image_age = Integer(
        30 * 86400, min=0, help="Seconds after which an image of ours goes that no container uses."
    ).tag(config=True)
    images_size = Integer(
        50 * _GIGABYTE, min=0, help="Bytes that images of ours may take before the oldest go."
    ).tag(config=True)
    build_cache_size = Integer(
        20 * _GIGABYTE,
        min=-1,
        help="Bytes that BuildKit's cache may take, of all builds of the engine.  -1: leave it.",
    ).tag(config=True)

    def __init__(self, *, clock: Clock, engine: Engine | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._clock = clock
        self._engine = engine or Engine(self.docker_host)
        #: the engine as a registry, for an image prefix without a host
        self.images = EngineImages(self._engine)
        self._launches: dict[str, Launch] = {}  # by UID, until they are removed
        self._tidying: asyncio.Task[None] | None = None

    @default("engine_socket")
    def _default_engine_socket(self) -> str:
        return self._engine.socket

    @property
    def push_secret(self) -> str:
        """Name of the credentials, for :meth:`read_secret`."""
        return str(self.push_config_file)

    @property
    def push_secret_key(self) -> str:
        """A file has no keys."""
        return ""

    async def read_secret(self, name: str, key: str) -> bytes | None:  # noqa: ARG002
        """The content of the credentials' file; None when it is not there."""
        try:
            return await asyncio.to_thread(Path(name).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ExecutorUnavailable("The credentials' file cannot be read.") from error

    async def start(self) -> None:
        """Begin to tidy up; returns at once, whether the engine answers or not."""
        if self._tidying is None and self.tidy:
            self._tidying = asyncio.create_task(self._tidier().run(self.tidy_interval))

    async def close(self) -> None:
        """Let go of everything; builds go on."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
            self._tidying = None
        for launch in self._launches.values():
            await launch.abandon()
        self._launches.clear()
        await self._engine.close()

    async def claim(self, request: BuildRequest) -> Claim:
        """Create the build's container, or find the one there is (:class:`ports.Executor`)."""
        for _ in range(_CLAIM_ATTEMPTS):
            if (known := self._launching(request)) is not None:
                return known
            launch = self._begin(Claim(request, uuid.uuid4().hex, ClaimState.CREATED))
            await launch.decided.wait()
            if not launch.taken and launch.container is None and launch.failure is not None:
                del self._launches[launch.claim.uid]
                raise launch.unanswered or launch.failure
            if not launch.taken:
                return dataclasses.replace(launch.claim, there=launch.container is not None)
            self._launches.pop(launch.claim.uid, None)
            found = await self._engine.inspect(request.name)
            if found is not None:
                return await self._adopt(request, found)
            await self._clock.sleep(_POLL)
        raise ExecutorUnavailable("The engine did not start the build in spite of many attempts.")

    def follow(self, claim: Claim, mark: str | None = None) -> AsyncGenerator[Observation, None]:
        """Observe a build (see :class:`ports.Executor`)."""
        return Follower(
            claim,
            mark,
            engine=self._engine,
            clock=self._clock,
            patience=Patience(self.engine_wait, self.deadline, self.silence),
            launch=self._launches.get(claim.uid),
            resume=lambda created: self._begin(claim, created),
        ).observations()

    async def remove(self, claim: Claim) -> None:
        """Remove the build's container, that very one; its launch ends before."""
        launch = self._launches.get(claim.uid)
        if launch is not None:
            await launch.stop()
        for found in await self._engine.containers(f"{container.UID}={claim.uid}"):
            if container.is_build(found):
                await self._engine.remove(str(found["Id"]))
        self._launches.pop(claim.uid, None)

    async def found(self) -> list[Claim]:
        """Builds of this image builder; those that are being removed are over."""
        listed = await self._engine.containers(self._label)
        claims = {}
        for item in filter(container.is_build, listed):
            claim = container.read_claim(item)
            if claim is None:
                self.log.warning("Container %s does not say what it builds", item.get("Names"))
            elif not container.leaving(item):
                claims[claim.uid] = claim
        for uid, launch in self._launches.items():
            if uid not in claims and not launch.done.is_set():
                claims[uid] = dataclasses.replace(launch.claim, state=ClaimState.RUNNING)
        return list(claims.values())

    async def check(self) -> None:
        """Return when the engine answers."""
        await self._engine.ping()

    @property
    def _label(self) -> str:
        return f"{container.INSTANCE}={self.instance}"

    def _launching(self, request: BuildRequest) -> Claim | None:
        """The build of that name which has no container yet, or may have none."""
        for launch in self._launches.values():
            if launch.claim.request.name == request.name and not launch.done.is_set():
                if launch.claim.request.key != request.key:
                    raise name_taken()
                there = launch.container is not None
                return dataclasses.replace(launch.claim, state=ClaimState.RUNNING, there=there)
        return None

    def _begin(self, claim: Claim, created: str | None = None) -> Launch:
        launch = self._launches.get(claim.uid)
        if launch is None:
            launch = Launch(
                claim, self._order(claim), engine=self._engine, clock=self._clock, created=created
            )
            self._launches[claim.uid] = launch
        return launch

    async def _adopt(self, request: BuildRequest, found: Json) -> Claim:
        """A claim on a container that has the name already, or had it."""
        known = container.read_claim(found)
        if known is None or known.request.key != request.key:
            raise name_taken()
        if container.leaving(found):
            await self._wait_until_gone(str(found["Id"]))
            return dataclasses.replace(known, state=ClaimState.GONE)
        if known.state is ClaimState.FINISHED and not await self._left_something(known):
            await self._engine.remove(str(found["Id"]))
            return dataclasses.replace(known, state=ClaimState.GONE)
        # our own, whose answer was lost, is told of from its beginning
        ours = known.request.id == request.id
        return dataclasses.replace(known, state=ClaimState.CREATED) if ours else known

    async def _left_something(self, claim: Claim) -> bool:
        """Whether a build that is over may have a result to share.

        Where the engine keeps the images, one that is missing has been removed; it will not appear
        as a registry's would.
        """
        image = claim.request.image
        return bool(image.registry) or await self._engine.inspect_image(str(image)) is not None

    async def _wait_until_gone(self, container_id: str) -> None:
        end = self._clock.now() + _REMOVAL
        while self._clock.now() < end:
            if await self._engine.inspect(container_id) is None:
                return
            await self._clock.sleep(_POLL)
        raise BuildFailed(
            "An earlier build of this is still being removed; try again later.",
            Reason.EXECUTOR_LOST,
        )

    def _order(self, claim: Claim) -> Order:
        settings = container.ContainerSettings(
            build_image=self.build_image,
            instance=self.instance,
            engine_socket=self.engine_socket,
            deadline=self.deadline,
            engine_wait=self.engine_wait,
            memory=self.memory_limit,
            cpus=self.cpu_limit,
            network=self.network,
            extra_env=self.extra_env,
            buildx_args=self.buildx_args,
            repo2docker_extra_args=self.repo2docker_extra_args,
        )
        private = self.private(claim.request)
        return Order(
            body=container.build_container(claim.request, settings, claim.uid, private),
            private=private,
            image=self.build_image,
            credentials=self._credentials if self.push_config_file else None,
            pull_grace=self.pull_grace,
        )

    def _credentials(self) -> bytes:
        try:
            return Path(self.push_config_file).read_bytes()
        except OSError as error:
            raise BuildFailed(
                "The credentials with which images are pushed cannot be read; an admin has to look"
                " at c.DockerExecutor.push_config_file.",
                Reason.MOUNT_FAILED,
            ) from error

    def _tidier(self) -> Tidier:
        limits = Limits(self.image_age, self.images_size, self.build_cache_size)
        return Tidier(self._engine, self._clock, label=self._label, limits=limits)
