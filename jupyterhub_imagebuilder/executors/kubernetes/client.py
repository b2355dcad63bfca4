"""Kubernetes' API, as far as builds need it.  The only module that imports ``kubernetes_asyncio``.

Raw JSON in, raw JSON out: decoding into the library's models is the greater part of its cost.
Calls and the watch share one client; followers of logs have one of their own without a limit of
connections, so that they never make another call wait.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes_asyncio import client as kubernetes
from kubernetes_asyncio import config as kubernetes_config
from kubernetes_asyncio.config.config_exception import ConfigException

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json

LOGGER = logging.getLogger(__name__)

_CALL = aiohttp.ClientTimeout(total=30, sock_connect=5)
_ATTEMPTS = 4
_AGAIN = frozenset({429, 500, 502, 503, 504})
#: Seconds for which a busy server is believed at most.
_LONGEST_PAUSE = 10
#: Seconds of silence after which a log stream is taken up anew: its connection may be half open.
_LOG_SILENCE = 300
#: Pods per answer to a list: about 3 MB, 30 ms to decode.
_PAGE = 200
_PODS = "/api/v1/namespaces/{namespace}/pods"


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, as both clients take it."""

    path: str
    method: str = "GET"
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Json | None = None
    name: str = ""
    namespace: str = ""
    limits: aiohttp.ClientTimeout = _CALL
    logs: bool = False


class KubernetesClient:
    """:class:`api.PodApi` over HTTP; connects at the first call.

    :param kubeconfig: a file; empty means in-cluster, else ``KUBECONFIG`` and its default.
    """

    def __init__(self, *, namespace: str, clock: Clock, kubeconfig: str = "") -> None:
        self._namespace = namespace
        self._kubeconfig = kubeconfig
        self._clock = clock
        self._lock = asyncio.Lock()
        self._clients: dict[bool, Any] = {}  # by whether they read logs

    async def list_pods(
        self, selector: str, *, namespace: str = "", limit: int | None = None
    ) -> Json:
        """List pods by label, page by page: to decode many at once would hold up everything."""
        query = {"labelSelector": selector, "limit": limit or _PAGE}
        items: list[Json] = []
        while True:
            try:
                page = await self._call(_Request(_PODS, query=query, namespace=namespace))
            except ApiError as error:
                if error.code != HTTPStatus.GONE or "continue" not in query:
                    raise
                # the list has grown too old between two pages
                items, query = [], {"labelSelector": selector}
                continue
            items += page.get("items") or []
            following = (page.get("metadata") or {}).get("continue")
            if limit or not following:
                return page | {"items": items}
            query["continue"] = following

    async def watch_pods(
        self, selector: str, version: str, seconds: int
    ) -> AsyncGenerator[Json, None]:
        """Follow changes; ends when the server's time is up."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": seconds,
        }
        # above the server's own time: only a dead connection is that silent
        limits = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=seconds + 15)
        rest = b""
        request = _Request(_PODS, query=query, limits=limits)
        async with contextlib.aclosing(self._stream(request)) as chunks:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield _decode(line)

    async def get_pod(self, name: str) -> Json | None:
        """Read one pod."""
        try:
            return await self._call(_Request(_PODS + "/{name}", name=name))
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create_pod(self, manifest: Json) -> Json:
        """Create a pod; not tried again here, as only the caller can read a 409."""
        return await self._call(_Request(_PODS, "POST", body=manifest), attempts=1)

    async def delete_pod(self, name: str, uid: str, grace: int) -> None:
        """Delete the pod with that UID."""
        body = {"preconditions": {"uid": uid}, "gracePeriodSeconds": grace}
        try:
            await self._call(_Request(_PODS + "/{name}", "DELETE", name=name, body=body))
        except ApiError as error:
            # 409: the name belongs to another pod by now
            if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    async def pod_events(self, uid: str) -> list[Json]:
        """Events about a pod, oldest first."""
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": 200}
        path = "/api/v1/namespaces/{namespace}/events"
        found = await self._call(_Request(path, query=query))
        items: list[Json] = found.get("items") or []
        return sorted(items, key=_event_time)

    async def pod_log(
        self, name: str, container: str, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Read a log from its beginning (or its last lines), with timestamps."""
        query = {
            "container": container,
            "timestamps": "true",
            **({"follow": "true"} if follow else {}),
            **({"tailLines": tail} if tail is not None else {}),
        }
        limits = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_LOG_SILENCE)
        path = _PODS + "/{name}/log"
        request = _Request(path, name=name, query=query, limits=limits, logs=True)
        async with contextlib.aclosing(self._stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def create_secret(self, manifest: Json) -> None:
        """Create a Secret; there already is fine: its name is one build's."""
        path = "/api/v1/namespaces/{namespace}/secrets"
        try:
            await self._call(_Request(path, "POST", body=manifest))
        except ApiError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    async def read_secret(self, name: str, key: str) -> bytes | None:
        """Read one value of a Secret."""
        path = "/api/v1/namespaces/{namespace}/secrets/{name}"
        try:
            data = (await self._call(_Request(path, name=name))).get("data") or {}
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise
        try:
            return base64.b64decode(data[key]) if key in data else None
        except (binascii.Error, TypeError) as error:
            raise ApiError("Kubernetes sent a Secret that cannot be read.") from error

    async def close(self) -> None:
        """Close both clients."""
        async with self._lock:
            for client in self._clients.values():
                await client.close()
            self._clients.clear()

    async def _call(self, request: _Request, *, attempts: int = _ATTEMPTS) -> Json:
        attempt = 0
        while True:
            attempt += 1
            pause = random.uniform(0.1, 0.5) * 2**attempt  # noqa: S311 -- jitter
            try:
                return await self._once(request)
            except ApiError as error:
                said = error.words or error
                LOGGER.info("Kubernetes: %s (attempt %d of %d)", said, attempt, attempts)
                # who is turned away for want of room has changed nothing
                most = _ATTEMPTS if error.code == HTTPStatus.TOO_MANY_REQUESTS else attempts
                if attempt >= most or (error.code is not None and error.code not in _AGAIN):
                    raise
                if isinstance(error, _Busy):
                    pause = max(pause, min(error.seconds, _LONGEST_PAUSE))
            await self._clock.sleep(pause)

    async def _once(self, request: _Request) -> Json:
        try:
            async with self._answer(request) as response:
                return _decode(await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error

    async def _stream(self, request: _Request) -> AsyncGenerator[bytes, None]:
        try:
            async with self._answer(request) as response:
                async for chunk in response.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error

    @contextlib.asynccontextmanager
    async def _answer(self, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        client = await self._client(logs=request.logs)
        try:
            response = await client.call_api(
                request.path,
                request.method,
                path_params={
                    "namespace": request.namespace or self._namespace,
                    "name": request.name,
                },
                query_params=list(request.query.items()),
                header_params={"Accept": "*/*" if request.logs else "application/json"},
                body=request.body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=request.limits,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error
        try:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refused(request.method, response, await response.read())
            yield response
        finally:
            # a stream that is left before its end takes its connection with it
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _client(self, *, logs: bool) -> Any:
        async with self._lock:
            if logs not in self._clients:
                configuration = await self._configuration()
                if logs:
                    configuration.connection_pool_maxsize = 0
                self._clients[logs] = kubernetes.ApiClient(configuration)
            return self._clients[logs]

    async def _configuration(self) -> Any:
        configuration = kubernetes.Configuration()
        try:
            if not self._kubeconfig:
                with contextlib.suppress(ConfigException):
                    kubernetes_config.load_incluster_config(client_configuration=configuration)
                    return configuration
            await kubernetes_config.load_kube_config(
                config_file=self._kubeconfig or None, client_configuration=configuration
            )
        except (ConfigException, OSError, ValueError) as error:
            raise ApiError(f"The image builder has no access to Kubernetes: {error}") from error
        return configuration


def _decode(data: bytes) -> Json:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ApiError("Kubernetes sent an answer that cannot be read.") from error
    if not isinstance(found, dict):
        raise ApiError("Kubernetes sent an answer that cannot be read.")
    return found


class _Busy(ApiError):
    """A refusal that says after how many seconds to ask again."""

    seconds = 0


def _refused(method: str, response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    status, after = response.status, response.headers.get("Retry-After", "")
    try:
        words = str(json.loads(body).get("message") or "")
    except (ValueError, AttributeError):
        words = body[:200].decode(errors="replace")
    LOGGER.debug("Kubernetes answered %s with %d: %s", method, status, words)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ApiError(f"Kubernetes refuses the image builder: {words}", status, words)
    # Kubernetes names seconds, never a date
    if after.isascii() and after.isdigit():
        busy = _Busy(f"Kubernetes answers with {status}: {words}", status, words)
        busy.seconds = int(after[:9])
        return busy
    return ApiError(f"Kubernetes answers with {status}: {words}", status, words)


def _no_answer(error: BaseException) -> ApiError:
    # addresses and system calls are for the log alone
    said = str(error) or type(error).__name__
    return ApiError("Kubernetes does not answer.", words=f"no answer: {said}")


def _event_time(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"))
