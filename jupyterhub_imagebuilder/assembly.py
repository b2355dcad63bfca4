"""Builds the adapters that the configuration names, and the domain upon them."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from traitlets import TraitError
from traitlets.config import Application

from jupyterhub_imagebuilder import configuration
from jupyterhub_imagebuilder.builds import naming
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import (
    BuildObserver,
    Clock,
    Executor,
    Registry,
    RepoProvider,
    Store,
)
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import ImageBuilderError
from jupyterhub_imagebuilder.health import Probe

log = logging.getLogger(__name__)

REGISTRY_CLASS = "jupyterhub_imagebuilder.registry.client.DistributionRegistry"
_STORE = "jupyterhub_imagebuilder.store.sql.SqlStore"
_CACHE = "jupyterhub_imagebuilder.registry.cache.CachedRegistry"
_SLOW_PACKAGE = "jupyterhub_imagebuilder.executors.kubernetes."
_SLOW_CLIENT = f"{_SLOW_PACKAGE}client.KubernetesClient"
#: Seconds between two tries to start while Kubernetes is away: the first, and the most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
#: Seconds between two looks for builds that nobody here follows.
_LOOK_AROUND = 60.0


@dataclass(frozen=True, slots=True)
class StorePlan:
    """Where builds are remembered, and for how long."""

    url: str  #: of SQLAlchemy, without a password; empty: a file in the folder
    password_file: Path | None
    folder: Path  #: also for what the database does not take now
    days: int  #: for which a build is kept that is over
    builds: int  #: that are kept at most


@dataclass(frozen=True, slots=True)
class Plan:
    """What the admin chose, checked as far as that goes without importing an adapter."""

    image_prefix: str
    executor_class: str
    provider_classes: Sequence[str]
    policy: SpecPolicy
    linger: float  #: seconds
    limits: QueueLimits
    patience: Patience
    store: StorePlan


class ExecutorAdapter(Executor, Protocol):
    """What an executor class offers beyond its port: how builds are told apart, and a life."""

    build_image: str
    build_settings: dict[str, object]
    platform: str
    push_secret: str
    push_secret_key: str
    login_of: Callable[[RepoSpec], Any]  #: the login of a private repository, for its build

    async def start(self) -> None:
        """Connect; raises ExecutorUnavailable, and may be called again then."""

    async def close(self) -> None:
        """Give everything back."""

    async def read_secret(self, name: str, key: str) -> bytes | None:
        """The content of a Secret's key, None when there is none."""


class StoreAdapter(Store, Protocol):
    """What a store has beyond its port: a life."""

    async def start(self) -> None:
        """Begin; whether the database answers or not."""

    async def close(self) -> None:
        """Put down what is not written yet."""


class Assembly:
    """The adapters, their start and their end.

    :param parent: hands its configuration down to the adapters.
    :param observer: is told what happens to builds.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        parent: Application,
        clock: Clock,
        observer: BuildObserver | None = None,
    ) -> None:
        self._plan = plan
        self._parent = parent
        self._clock = clock
        self._observer = observer
        self._closers: list[Any] = []  # in the order in which they were made
        self._builds: BuildService | None = None
        self.build_image: str | None = None
        self.probes: dict[str, Probe] = {}  #: health checks; there are none before the start
        self.optional = frozenset({"store"})  #: those without which builds go on

    async def start(self, delayed: Callable[[str], None]) -> BuildService:
        """Make everything and start it; tries again for as long as Kubernetes is away.

        :param delayed: called with a sentence at each try that fails.
        :raises ConfigurationError: what the admin wrote cannot work.
        """
        # importing the clients takes longer than the web server may stand still
        classes = await asyncio.to_thread(self._classes)
        configuration.check(
            self._parent.config, [type(self._parent), *classes.configurable], complete=True
        )
        try:
            executor, store, builds = self._make(classes)
        except TraitError as error:
            raise ConfigurationError(f"A setting is wrong: {error}") from error
        self._builds = builds
        await store.start()
        await self._start(executor, builds, delayed)
        return builds

    async def look_around(self, builds: BuildService) -> None:
        """Take up builds that nobody here follows, again and again; its owner cancels it."""
        while True:
            await self._clock.sleep(_LOOK_AROUND)
            try:
                await builds.take_up()
            except ImageBuilderError as error:
                log.info("cannot look for builds now: %s", error.message)
            except Exception:
                log.exception("looking for builds failed")

    async def close(self) -> None:
        """End the streams and tasks of the domain, then the adapters; builds go on."""
        if self._builds is not None:
            await self._builds.stop()
        for adapter in reversed(self._closers):
            try:
                await adapter.close()
            except Exception:
                log.exception("%s does not end well", type(adapter).__name__)
        self._closers.clear()

    def _classes(self) -> _Classes:
        executor = configuration.imported_executor(self._plan.executor_class)
        if executor.__module__.startswith(_SLOW_PACKAGE):
            # it imports this when it is made, which happens in the loop
            configuration.imported(_SLOW_CLIENT, "c.ImageBuilder.executor_class")
        return _Classes(
            executor=executor,
            providers=tuple(
                configuration.imported(name, "c.ImageBuilder.provider_classes")
                for name in self._plan.provider_classes
            ),
            registry=configuration.imported(REGISTRY_CLASS, "the registry"),
            cache=configuration.imported(_CACHE, "the registry"),
            store=configuration.imported(_STORE, "the store"),
        )

    def _make(self, classes: _Classes) -> tuple[ExecutorAdapter, StoreAdapter, BuildService]:
        plan, parent, clock = self._plan, self._parent, self._clock
        executor: ExecutorAdapter = self._owned(classes.executor(parent=parent, clock=clock))
        providers: list[RepoProvider] = [
            self._owned(provider(parent=parent)) for provider in classes.providers
        ]
        executor.login_of = functools.partial(
            _clone_login, {provider.id: provider for provider in providers}
        )
        registry = self._registry(classes, executor)
        self.build_image = executor.build_image
        # the last to end: builds say their last words to it
        store: StoreAdapter = classes.store(
            plan.store.url or _file_url(plan.store.folder / "history.sqlite"),
            password_file=plan.store.password_file or "",
            spool_dir=plan.store.folder / "spool",
            keep_days=plan.store.days,
            keep_builds=plan.store.builds,
            clock=clock,
        )
        self._closers.insert(0, store)
        self.probes = {
            "registry": registry.check,
            "executor": executor.check,
            "store": store.check,
        }
        settings = BuildSettings(
            image_prefix=plan.image_prefix,
            settings=executor.build_settings,
            platform=executor.platform,
            linger=plan.linger,
            limits=plan.limits,
            patience=plan.patience,
        )
        builds = BuildService(
            providers=providers,
            registry=registry,
            executor=executor,
            policy=plan.policy,
            settings=settings,
            clock=clock,
            observer=self._observer,
            store=store,
        )
        return executor, store, builds

    def _registry(self, classes: _Classes, executor: ExecutorAdapter) -> Registry:
        """Where images are looked up: a registry or, without one, the engine that builds."""
        host, _ = naming.split_prefix(self._plan.image_prefix)
        if not host:
            images: Registry | None = getattr(executor, "images", None)
            if images is None:
                raise ConfigurationError(
                    f"c.ImageBuilder.image_prefix ({self._plan.image_prefix}) has to begin with "
                    "the host of a registry, such as registry.example.org/team/."
                )
            return images
        read_credentials = None
        if executor.push_secret:
            # the credential that pushes does for looking up, too
            read_credentials = functools.partial(
                executor.read_secret, executor.push_secret, executor.push_secret_key
            )
        registry = self._owned(
            classes.registry(parent=self._parent, host=host, read_credentials=read_credentials)
        )
        cached: Registry = self._owned(classes.cache(registry, clock=self._clock))
        return cached

    def _owned(self, adapter: Any) -> Any:
        if hasattr(adapter, "close"):
            self._closers.append(adapter)
        return adapter

    async def _start(
        self, executor: ExecutorAdapter, builds: BuildService, delayed: Callable[[str], None]
    ) -> None:
        pause = _FIRST_PAUSE
        started = False
        while True:
            try:
                if not started:
                    await executor.start()
                    started = True
                await builds.take_up()
            except ImageBuilderError as error:
                log.warning("cannot start yet, next try in %g s: %s", pause, error.message)
                delayed(error.message)
            else:
                return
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _clone_login(providers: Mapping[str, RepoProvider], spec: RepoSpec) -> Any:
    """What a repository's provider says of the login that its build needs; mostly None."""
    ask = getattr(providers.get(spec.provider), "clone_login", None)
    return ask(spec.repository) if ask else None


def _file_url(path: Path) -> str:
    from sqlalchemy import URL  # imported with the store, in a thread

    return str(URL.create("sqlite", database=str(path)))


@dataclass(frozen=True, slots=True)
class _Classes:
    """What the import strings of a plan name."""

    executor: Any
    providers: tuple[Any, ...]
    registry: Any
    cache: Any
    store: Any

    @property
    def configurable(self) -> list[Any]:
        """Those that have sections in the configuration."""
        return [self.executor, *self.providers, self.registry]
