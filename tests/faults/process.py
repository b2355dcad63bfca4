"""One running service, which can be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.errors import ExecutorUnavailable
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor
from tests.fakes.kubernetes import Connection

if TYPE_CHECKING:
    from .world import World

PREFIX = "registry.example.org/team/"
#: Seconds between two looks for builds that nobody follows.
LOOK = 60.0

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class _Task(asyncio.Task):
    """A task by whose number sets are ordered: in the same way in each run."""

    def __init__(self, *arguments, number, **others):
        self._number = number
        super().__init__(*arguments, **others)

    def __hash__(self):
        return self._number


def own_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have every task belong to the process that began it."""
    numbers = itertools.count()

    def create(loop, work, context=None, **kwargs):
        context = contextvars.copy_context() if context is None else context
        task = _Task(work, loop=loop, context=context, number=next(numbers), **kwargs)
        if (owner := context.get(_process)) is not None:
            owner.tasks[task] = None
            task.add_done_callback(owner.tasks.pop)
        return task

    loop.set_task_factory(create)


class Lifeline:
    """A port as one process has it: once that is dead, none of its calls arrives."""

    def __init__(self, process: Process, port: Any) -> None:
        self._process = process
        self._port = port

    def __getattr__(self, name: str) -> Any:
        if self._process.dead:
            return lambda *_, **__: asyncio.get_running_loop().create_future()
        return getattr(self._port, name)


class Process:
    """A service over the Kubernetes executor, with a connection of its own.

    :param settings: traits of the executor.
    """

    def __init__(self, world: World, limits: QueueLimits, **settings: Any) -> None:
        self.number = world.count()
        self.began, self.ended = world.clock.now(), float("inf")
        self._clock = world.clock
        self.dead = False
        self.ready = asyncio.Event()
        self.tasks: dict[asyncio.Task[Any], None] = {}  # in their order
        self._calls: set[asyncio.Task[Any]] = set()
        self.connection = Connection(world.cluster)
        self.executor = KubernetesExecutor(
            clock=world.clock, api=self.connection, namespace="builds", **settings
        )
        self.service = BuildService(
            providers=[world.provider],
            registry=Lifeline(self, world.registry),
            executor=self.executor,
            policy=SpecPolicy(),
            settings=BuildSettings(image_prefix=PREFIX, limits=limits),
            clock=world.clock,
            store=Lifeline(self, world.store),
        )
        self._main = self.spawn(self._run())

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something in this process; it ends with it."""
        context = contextvars.copy_context()
        context.run(_process.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What a handler of this process answers.

        :raises ConnectionError: the process was killed meanwhile.
        """
        if self.dead:
            work.close()
            raise ConnectionRefusedError
        task = self.spawn(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if task.cancelled():
            raise ConnectionResetError
        return task.result()

    def kill(self) -> None:
        """SIGKILL."""
        self.ended = self._clock.now()
        self.dead = self.connection.dead = True
        for task in list(self.tasks):
            task.cancel()

    async def stop(self) -> None:
        """SIGTERM; nothing of it may be left."""
        self._main.cancel()
        await asyncio.wait({self._main})
        await self.call(self.service.stop())
        await self.call(self.executor.close())
        for handler in list(self._calls):
            handler.cancel()  # its connection is closed
        await asyncio.sleep(0.001)
        left = [task for task in self.tasks if not task.done()]
        assert not left, f"a service that was stopped goes on: {left}"
        assert self.connection.closed
        assert not self.connection.watches
        assert not self.connection.followers
        self.ended = self._clock.now()
        self.dead = True

    async def _run(self) -> None:
        await self.executor.start()
        while True:
            with contextlib.suppress(ExecutorUnavailable):
                await self.service.take_up()
                self.ready.set()
            await asyncio.sleep(LOOK if self.ready.is_set() else 1.0)
