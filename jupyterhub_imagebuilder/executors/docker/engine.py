"""A container engine's API, as far as builds need it.  The only module that imports ``docker``.

The library blocks: calls run in a few threads of their own, and each stream (a log, a pull) in one
more.  Answers are plain JSON, as the engine sends them.

Source of the format: Docker Engine API 1.41 (Docker 20.10) and later.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import io
import os
import struct
import tarfile
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from traitlets import TraitError

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.apierror import ApiError
from jupyterhub_imagebuilder.executors.docker.streams import stitched, streamed

Json = dict[str, Any]
T = TypeVar("T")

#: Calls at once; a slow one must not hold up the others.
_THREADS = 8
#: Seconds for one answer.
_TIMEOUT = 30
#: Seconds of silence in a pull: a large layer is unpacked without a word.
_PULL_TIMEOUT = 900

#: Seconds that the engine takes for a time: 200 years.
_LONGEST = 200 * 365 * 86400


class EngineError(ApiError):
    """The engine refused, or did not answer."""

    reason = Reason.ENGINE_UNAVAILABLE


class Engine:
    """One engine; connects at the first call.

    Every method raises :class:`EngineError` and nothing else.

    :param host: ``unix://…`` or ``tcp://…``; empty means ``$DOCKER_HOST`` and its default.
    :raises TraitError: the library, which is an extra, is not installed.
    """

    def __init__(self, host: str = "") -> None:
        if importlib.util.find_spec("docker") is None:
            raise TraitError(
                "c.ImageBuilder.executor_class is docker, which needs one package more: "
                "python -m pip install 'jupyterhub-imagebuilder[docker]'"
            )
        self._host = host
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def socket(self) -> str:
        """Path of the engine's socket on the engine's own machine, as far as it can be told."""
        host = self._host or os.environ.get("DOCKER_HOST", "")
        return (
            host.removeprefix("unix://") if host.startswith("unix://") else "/var/run/docker.sock"
        )

    async def ping(self) -> None:
        """Return when the engine answers."""
        await self._call(lambda client: client.ping())

    async def create(self, name: str, body: Json) -> str:
        """Create a container; its id.  Code 409: the name is taken; 404: the image is not there.

        :param body: as the API takes it.
        """
        created = await self._call(lambda client: client.create_container_from_config(body, name))
        return str(created["Id"])

    async def put(self, container: str, path: str, content: bytes) -> None:
        """Write a file into a container, readable for root alone; its folder is made."""
        data = _archive(path, content)
        await self._call(lambda client: client.put_archive(container, "/", data))

    async def start(self, container: str) -> None:
        """Start a container; started already is fine."""
        await self._call(lambda client: client.start(container))

    async def inspect(self, container: str) -> Json | None:
        """One container, by id or name; None when there is none."""
        return await self._if_there(lambda client: client.inspect_container(container))

    async def containers(self, label: str | None = None) -> list[Json]:
        """All containers, running and not.

        :param label: only those that carry it: ``name`` or ``name=value``.
        """
        filters = {"label": label} if label else None
        found: list[Json] = await self._call(
            lambda client: client.containers(all=True, filters=filters)
        )
        return found

    async def remove(self, container: str) -> None:
        """Remove a container by its id, with its anonymous volumes; gone already is fine."""
        try:
            await self._call(lambda client: client.remove_container(container, v=True, force=True))
        except EngineError as error:
            # 409: somebody else removes it just now
            if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    async def inspect_image(self, image: str) -> Json | None:
        """One image, by id or name; None when there is none."""
        return await self._if_there(lambda client: client.inspect_image(image))

    async def images(self, label: str) -> list[Json]:
        """Images that carry a label, those without a name included."""
        found: list[Json] = await self._call(lambda client: client.images(filters={"label": label}))
        return found

    async def history(self, image: str) -> list[Json]:
        """The layers of an image, the newest first."""
        found: list[Json] = await self._call(lambda client: client.history(image))
        return found

    async def remove_image(self, image: str) -> None:
        """Remove a name, or an image that has none.  Code 409: it is in use."""
        await self._call(lambda client: client.remove_image(image))

    async def prune_build_cache(self, keep: int, age: float) -> int:
        """Shrink BuildKit's cache, the oldest first; bytes that became free.

        :param keep: bytes that may stay.
        :param age: seconds since its last use for which anything may stay.
        """
        # of one request, both limits would have to be exceeded
        limits: list[Json] = [
            {"filters": {"until": f"{min(int(age), _LONGEST)}s"}},
            {"keep_storage": keep},
        ]
        freed = 0
        for limit in limits:
            answer = await self._call(functools.partial(_prune, limit))
            freed += int(answer.get("SpaceReclaimed") or 0)
        return freed

    async def logs(
        self, container: str, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A container's log with timestamps, in chunks of any size."""
        lines = "all" if tail is None else tail
        chunks = self._streamed(
            lambda client: client.logs(
                container, stream=True, timestamps=True, follow=follow, tail=lines
            )
        )
        try:
            async with contextlib.aclosing(chunks), contextlib.aclosing(stitched(chunks)) as whole:
                async for chunk in whole:
                    yield chunk
        except EngineError as error:
            if error.code == HTTPStatus.CONFLICT:
                # it is being removed
                raise EngineError(error.message, HTTPStatus.NOT_FOUND, error.words) from error
            raise

    async def pull(self, image: str) -> AsyncGenerator[Json, None]:
        """Pull an image; progress as the engine tells it."""
        news = self._streamed(functools.partial(_pull, image), _PULL_TIMEOUT)
        async with contextlib.aclosing(news) as items:
            async for item in items:
                if item.get("error"):
                    words = str(item["error"])
                    raise EngineError(f"The image cannot be pulled: {words}", words=words)
                yield item

    async def close(self) -> None:
        """Give back threads and connections; what is under way in them ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def _if_there(self, question: Callable[[Any], Any]) -> Json | None:
        try:
            found: Json = await self._call(question)
        except EngineError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def _call(self, work: Callable[[Any], Any]) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._pool, lambda: _translated(lambda: work(self._shared()))
            )
        except RuntimeError as error:  # of a pool that is shut down
            raise EngineError("The image builder is stopping.") from error

    def _streamed(
        self, opened: Callable[[Any], Any], timeout: float = _TIMEOUT
    ) -> AsyncGenerator[Any, None]:
        # a client of its own: streams must not use up the connections of the others
        return streamed(lambda: _Stream(self._connect(timeout), opened))

    def _shared(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self, timeout: float = _TIMEOUT) -> Any:
        return _translated(lambda: self._connected(timeout))

    def _connected(self, timeout: float) -> Any:
        import docker

        class Client(docker.APIClient):
            def send(self, request: Any, **kwargs: Any) -> Any:
                """Send a request; the library's own pull would wait for ever."""
                kwargs["timeout"] = kwargs.get("timeout") or self.timeout
                return super().send(request, **kwargs)

        settings = docker.utils.kwargs_from_env()
        if self._host:
            settings["base_url"] = self._host
        return Client(version="auto", timeout=timeout, **settings)


class _Stream:
    """One of the library's streams, with our exceptions; its client ends with it."""

    def __init__(self, client: Any, opened: Callable[[Any], Any]) -> None:
        self._client = client
        self._stream = _translated(lambda: opened(client))

    def __iter__(self) -> Iterator[Any]:
        items = iter(self._stream)
        while (item := _translated(lambda: next(items, _END))) is not _END:
            yield item

    def close(self) -> None:
        """Break it off, from whichever thread; again is fine."""
        try:
            self._stream.close()
        finally:
            self._client.close()


class _Closable:
    """A stream of the library's that can be closed while somebody waits for more of it."""

    def __init__(self, items: Iterator[Any], close: Callable[[], None]) -> None:
        self._items = items
        self.close = close

    def __iter__(self) -> Iterator[Any]:
        return self._items


_END = object()


def _pull(image: str, client: Any) -> Any:
    from docker.types import CancellableStream
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    answers: list[Any] = []
    client.hooks["response"].append(lambda answer, **_: answers.append(answer))
    news = client.pull(repository, tag or "latest", stream=True, decode=True)
    return _Closable(news, CancellableStream(news, answers[-1]).close)


def _prune(limit: Json, client: Any) -> Any:
    return client.prune_builds(all=True, **limit)


def _translated(work: Callable[[], T]) -> T:
    """Do the work; the library's exceptions become ours."""
    import docker.errors
    import requests
    import urllib3

    try:
        return work()
    except docker.errors.APIError as error:
        words = str(error.explanation or error)
        code = error.response.status_code if error.response is not None else None
        raise EngineError(f"The container engine refuses: {words}", code, words) from error
    except (
        docker.errors.DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        struct.error,  # of a log's frame that broke off
        OSError,
    ) as error:
        raise EngineError("The container engine does not answer.") from error


def _archive(path: str, content: bytes) -> bytes:
    """A tar with one file, and the folder that it is in."""
    data = io.BytesIO()
    folder, _, _ = path.strip("/").rpartition("/")
    with tarfile.open(fileobj=data, mode="w") as archive:
        parent = tarfile.TarInfo(folder)
        parent.type, parent.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(parent)
        file = tarfile.TarInfo(path.strip("/"))
        file.size, file.mode = len(content), 0o600
        archive.addfile(file, io.BytesIO(content))
    return data.getvalue()
