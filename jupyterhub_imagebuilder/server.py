"""The running service: the web server first, then everything else, and their end.

HTTP is answered before an adapter is imported or Kubernetes is asked: a hub gives up on a service
that keeps it waiting.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer

from jupyterhub_imagebuilder import __version__, process
from jupyterhub_imagebuilder.assembly import Assembly
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.health import Health
from jupyterhub_imagebuilder.metrics import Metrics, process_registry
from jupyterhub_imagebuilder.web.base import Backend
from jupyterhub_imagebuilder.web.cors import CrossOrigin, configured
from jupyterhub_imagebuilder.web.routes import application
from jupyterhub_imagebuilder.web.sse import Streams

if TYPE_CHECKING:
    from jupyterhub_imagebuilder.app import ImageBuilder

log = logging.getLogger(__name__)

#: Bytes that tornado reads of a body; the handlers refuse earlier, and with a sentence.
_BODY_LIMIT = 1024 * 1024
#: Seconds for ending everything in order, and for ending at all.
_DRAIN_TIMEOUT, _EXIT_TIMEOUT = 2.0, 3.0
_MISTAKE = "The image builder's configuration has a mistake; its log says which."
_FAULT = "The image builder could not start; its log says why."


class Service:
    """The running service: the web server, the tasks, and their end.

    :param mistake: what is wrong with the configuration.  A managed service answers that there
        is one instead of dying of it, because a hub ends with a service that does not come up.
    :param limit_end: called with the seconds that the end may take.
    """

    def __init__(
        self,
        app: ImageBuilder,
        mistake: ConfigurationError | None = None,
        limit_end: Callable[[float], object] = process.exit_within,
    ) -> None:
        self._app = app
        self._mistake = mistake
        self._limit_end = limit_end
        self._clock = SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._assembly: Assembly | None = None
        self._exit_code = 0
        self._end = asyncio.Event()

    async def run(self) -> int:
        """Serve until a signal, the parent's end, or a mistake in the configuration.

        :returns: the process's exit code.
        :raises ConfigurationError: it cannot listen, or the configuration cannot be meant.
        """
        self._health = Health(clock=self._clock)
        streams = Streams(self._clock)
        self._metrics = Metrics(
            registry=process_registry(),
            clock=self._clock,
            queued=self._queued,
            viewers=streams.__len__,
        )
        access = self._app.access()
        self._backend = Backend(
            authenticator=access.authenticator,
            site=access.site,
            sessions=access.sessions,
            streams=streams,
            health=self._health,
            versions=self._versions,
            metrics=self._metrics.render,
            authenticate_metrics=self._app.authenticate_metrics,
            token_in_url=self._app.allow_token_in_url,
            cors=self._cross_origin(access.site.origin if access.site else ""),
        )
        self._health.watch({"service": self._check})
        server = self._listen()
        process.end_on_signals(self._finish)
        self._own(self._backend.streams.beat_forever(), "heartbeat")
        self._own(self._start_domain(), "start")
        if self._app.managed:
            self._own(self._watch_parent(), "parent")
        await self._end.wait()
        await self._drain(server)
        return self._exit_code

    def _cross_origin(self, hub_origin: str) -> CrossOrigin:
        """Which pages may use the API; the hub's alone while the configuration has a mistake."""
        if self._mistake is None:
            try:
                return configured(self._app, hub_origin)
            except ConfigurationError as error:
                self._mistake = error
        cors = CrossOrigin()
        cors.hub_origin = hub_origin
        return cors

    def _listen(self) -> HTTPServer:
        app = self._app
        server = HTTPServer(application(self._backend, app.prefix), max_body_size=_BODY_LIMIT)
        try:
            server.listen(app.port, app.ip)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {app.ip or '*'}:{app.port}: {error.strerror or error}."
            ) from error
        log.info("listening on %s:%d%s", app.ip or "*", app.port, app.prefix)
        return server

    async def _start_domain(self) -> None:
        if self._mistake is not None:
            self._refuse(self._mistake)
            return
        try:
            self._assembly = Assembly(
                self._app.plan(), parent=self._app, clock=self._clock, observer=self._metrics
            )
            builds = await self._assembly.start(self._delayed)
        except ConfigurationError as error:
            self._refuse(error)
        except Exception:
            log.exception("the start failed")
            self._backend.obstacle = _FAULT
        else:
            self._backend.builds = builds
            self._health.watch(
                {"service": self._check, **self._assembly.probes}, self._assembly.optional
            )
            self._own(self._assembly.look_around(builds), "look around")
            # what is there now stays: collecting it again and again would hold up all viewers
            gc.collect()
            gc.freeze()
            log.info("ready to build")
            await self._backend.authenticator.prepare()

    def _refuse(self, mistake: ConfigurationError) -> None:
        log.critical("%s", mistake.message)
        self._backend.obstacle = _MISTAKE
        if not self._app.managed:
            self._exit_code = 1
            self._end.set()

    def _delayed(self, sentence: str) -> None:
        self._backend.obstacle = f"The image builder cannot start yet: {sentence}"

    async def _check(self) -> None:
        self._backend.ready()

    def _queued(self) -> int:
        builds = self._backend.builds
        return builds.queued if builds is not None else 0

    def _versions(self) -> dict[str, Any]:
        image = self._assembly.build_image if self._assembly else None
        # the last two as BinderHub's clients know them
        return {
            "imagebuilder": __version__,
            "builder": image,
            "builder_info": {"build_image": image},
        }

    async def _watch_parent(self) -> None:
        await process.parent_gone(self._clock)
        self._finish("the hub is gone")

    def _finish(self, why: str) -> None:
        log.info("stopping: %s", why)
        self._end.set()

    async def _drain(self, server: HTTPServer) -> None:
        self._limit_end(_EXIT_TIMEOUT)
        server.stop()
        self._backend.builds = None
        self._backend.obstacle = "The image builder is stopping; try again in a moment."
        self._backend.streams.stop()
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if self._assembly is not None:
                    await self._assembly.close()
                await self._health.close()
                await server.close_all_connections()
        except TimeoutError:
            log.warning("gave up waiting for an orderly end")

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the task %s failed", task.get_name(), exc_info=error)
