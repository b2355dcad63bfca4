"""The executor that builds in pods: its settings, and the port that the domain uses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncGenerator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

from traitlets import Dict, Integer, List, Unicode, default

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Clock, Observation
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason
from jupyterhub_imagebuilder.executors.kubernetes import manifest, verdict
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi
from jupyterhub_imagebuilder.executors.kubernetes.following import Follower
from jupyterhub_imagebuilder.executors.kubernetes.placement import Engines, place
from jupyterhub_imagebuilder.executors.kubernetes.starting import Patience
from jupyterhub_imagebuilder.executors.kubernetes.watch import PodWatch
from jupyterhub_imagebuilder.executors.private import Private
from jupyterhub_imagebuilder.executors.settings import ExecutorSettings
from jupyterhub_imagebuilder.executors.waiting import wait_for

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CLAIM_ATTEMPTS = 10
#: Attempts after which a refusal is taken for one, some seconds in all: a server that has just
#: begun to listen refuses everything to everyone, for about a second.
_REFUSALS = 5
#: Kubernetes' words where it is not our rights that are missing.
_POLICY = ("exceeded quota", "violates")
#: Seconds that a pod which is being deleted may keep its name.
_DELETION = 120.0
_REMOVE_GRACE = 2


class KubernetesExecutor(ExecutorSettings):
    """Builds in pods that use the container engine of their node.

    :param clock: time.
    :param api: Kubernetes; None connects by the settings.
    """

    namespace = Unicode(
        help="Namespace of the build pods.  Default: the service's own, or `default`."
    ).tag(config=True)
    kubeconfig = Unicode(
        help="A kubeconfig file.  Default: the pod's service account, or else `$KUBECONFIG`."
    ).tag(config=True)
    image_pull_secrets = List(
        Unicode(), help="Names of Secrets with which `build_image` is pulled."
    ).tag(config=True)
    engine_socket_dir = Unicode(
        "/var/run/imagebuilder",
        help="Folder on the nodes that holds the engine's socket; mounted whole.",
    ).tag(config=True)
    engine_socket_name = Unicode(
        "docker-api.sock", help="File name of the engine's socket in its folder."
    ).tag(config=True)
    engine_selector = Unicode(
        "app.kubernetes.io/name=imagebuilder,app.kubernetes.io/component=docker-api",
        help="Labels of the engine pods: builds run where one is ready.  Empty: anywhere.",
    ).tag(config=True)
    engine_namespace = Unicode(help="Namespace of the engine pods.  Default: `namespace`.").tag(
        config=True
    )
    push_secret = Unicode(
        help="Secret of type `kubernetes.io/dockerconfigjson` with which images are pushed."
    ).tag(config=True)
    push_secret_key = Unicode(".dockerconfigjson", help="Key in `push_secret`.").tag(config=True)
    node_wait = Integer(
        900, min=0, help="Seconds that a build waits for a node, as for one that scales up."
    ).tag(config=True)
    mount_grace = Integer(60, min=0, help="Seconds that mounting a volume may go on failing.").tag(
        config=True
    )
    node_selector = Dict(Unicode(), help="Labels of the nodes for builds.").tag(config=True)
    tolerations = List(
        Dict(), help="Tolerations of the build pods.  Default: those of users' pods."
    ).tag(config=True)
    resources = Dict(
        help="Requests and limits of the build pod, which drives the engine: the build's own"
        " steps run in the engine and are bounded there."
    ).tag(config=True)
    priority_class = Unicode(help="Priority class of the build pods.").tag(config=True)

    def __init__(self, *, clock: Clock, api: PodApi | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._clock = clock
        self._api = api or self._connect()
        self._engines = Engines(
            self._api,
            clock,
            selector=self.engine_selector,
            namespace=self.engine_namespace,
        )
        self._watch = PodWatch(self._list, self._changes, clock)
        self._watching: asyncio.Task[None] | None = None
        self._requests: dict[str, BuildRequest | None] = {}  # of the pods found last, by UID

    @default("namespace")
    def _default_namespace(self) -> str:
        try:
            return _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
        except OSError:
            return os.environ.get("POD_NAMESPACE") or "default"

    @default("tolerations")
    def _default_tolerations(self) -> list[dict[str, str]]:
        # z2jh taints user nodes with the first; the second is for clouds that forbid the slash
        return [
            {"key": key, "operator": "Equal", "value": "user", "effect": "NoSchedule"}
            for key in ("hub.jupyter.org/dedicated", "hub.jupyter.org_dedicated")
        ]

    @default("resources")
    def _default_resources(self) -> dict[str, Any]:
        return {"requests": {"cpu": "50m", "memory": "128Mi"}}

    async def start(self) -> None:
        """Begin to watch; returns at once, whether Kubernetes answers or not."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch.run(), name="watch build pods")

    async def close(self) -> None:
        """Stop watching; builds go on."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        await self._api.close()

    async def claim(self, request: BuildRequest) -> Claim:
        """Create the build's pod, or find the one that is there (see :class:`ports.Executor`)."""
        private = self.private(request)
        for attempt in range(_CLAIM_ATTEMPTS):
            # each time: where engines are may not have been known
            placement = place(request.spec.repository, await self._engines.nodes())
            pod = manifest.build_pod(request, self._settings(), placement, private)
            created = await self._create(pod, attempt)
            if created:
                await self._lend(created, private)
                return self._claimed(request, created, ClaimState.CREATED)
            existing = await self._existing(request.name, attempt)
            if existing is None:
                await self._pause(attempt)
                continue
            return await self._adopt(request, existing, private)
        raise ExecutorUnavailable("Kubernetes did not start the build in spite of many attempts.")

    def follow(self, claim: Claim, mark: str | None = None) -> AsyncGenerator[Observation, None]:
        """Observe a build (see :class:`ports.Executor`)."""
        patience = Patience(
            pull=self.pull_grace,
            mount=self.mount_grace,
            node=self.node_wait,
            deadline=self.deadline,
            silence=self.silence,
        )
        return Follower(
            claim, mark, api=self._api, watch=self._watch, clock=self._clock, patience=patience
        ).observations()

    async def remove(self, claim: Claim) -> None:
        """Delete the build's pod, that very one."""
        await self._api.delete_pod(claim.request.name, claim.uid, _REMOVE_GRACE)
        self._watch.leaving(claim.uid)

    async def found(self) -> list[Claim]:
        """Build pods of this image builder; those that are being deleted are over.

        Costs no request while the watch stands.
        """
        pods = self._watch.pods
        if pods is None:
            pods = (await self._list())["items"]
        ours = [pod for pod in pods if manifest.instance_of(pod) == self.instance]
        known = {pod["metadata"]["uid"]: self._read(pod) for pod in ours}
        self._requests = known
        claims = []
        for pod in ours:
            request = known[pod["metadata"]["uid"]]
            if request is None or pod["metadata"].get("deletionTimestamp"):
                continue
            self._watch.learn(pod)
            claims.append(Claim(request, pod["metadata"]["uid"], _state(pod)))
        return claims

    def _read(self, pod: Json) -> BuildRequest | None:
        """The request behind a pod; each is read once, as it never changes."""
        uid = pod["metadata"]["uid"]
        if uid in self._requests:
            return self._requests[uid]
        request = manifest.read_request(pod)
        if request is None:
            self.log.warning("Pod %s does not say what it builds", pod["metadata"]["name"])
        return request

    async def check(self) -> None:
        """Return when Kubernetes answers and shows us pods."""
        await self._api.list_pods(manifest.SELECTOR, limit=1)

    async def read_secret(self, name: str, key: str) -> bytes | None:
        """One value of a Secret in the builds' namespace; None when it is not there.

        :raises ExecutorUnavailable: no answer, or no permission.
        """
        return await self._api.read_secret(name, key)

    async def _create(self, pod: Json, attempt: int) -> Json | None:
        """The new pod; None when its name is taken, or when it is worth another attempt."""
        try:
            return await self._api.create_pod(pod)
        except ApiError as error:
            if error.code == HTTPStatus.CONFLICT:
                return None
            if error.code == HTTPStatus.UNPROCESSABLE_ENTITY or _refuses(error, attempt):
                self.log.error("Kubernetes refuses a build pod: %s", error.words)  # noqa: TRY400
                raise _refused(error) from error
            final = error.code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
            if final or (attempt >= 3 and error.code != HTTPStatus.FORBIDDEN):  # noqa: PLR2004
                raise
            # the answer may be lost and the pod be there: the next attempt finds out
            self.log.info("Creating a build pod failed: %s", error.words or error)
            await self._pause(attempt)
            return None

    async def _existing(self, name: str, attempt: int) -> Json | None:
        """The pod that has a name; None when there is none, or when we may not see it yet."""
        try:
            return await self._api.get_pod(name)
        except ApiError as error:
            if error.code != HTTPStatus.FORBIDDEN or _refuses(error, attempt):
                raise
            return None

    async def _lend(self, pod: Json, private: Private | None) -> None:
        """Give a pod the login that it waits for; without it, it is of no use."""
        secret = manifest.login_secret(pod, private) if private else None
        if secret is None:
            return
        for attempt in range(_CLAIM_ATTEMPTS):
            try:
                await self._api.create_secret(secret)
            except ApiError as error:
                if error.code != HTTPStatus.FORBIDDEN or _refuses(error, attempt):
                    await self._without_login(pod, error)
                await self._pause(attempt)
            else:
                return

    async def _without_login(self, pod: Json, error: ApiError) -> NoReturn:
        self.log.error("A build pod gets no login: %s", error.words or error)
        metadata = pod["metadata"]
        # where this fails, the pod fails by itself: it waits for its volume in vain
        with contextlib.suppress(ApiError):
            await self._api.delete_pod(metadata["name"], metadata["uid"], _REMOVE_GRACE)
        if error.code != HTTPStatus.FORBIDDEN:
            raise error
        raise ExecutorUnavailable(
            "Kubernetes does not take the login of the private repository: an admin has to"
            " allow the image builder to create Secrets."
        ) from error

    async def _adopt(self, request: BuildRequest, pod: Json, private: Private | None) -> Claim:
        """A claim on a pod that has the name already, or had it."""
        known = manifest.read_request(pod)
        if known is None or known.key != request.key:
            raise BuildFailed(
                "Another pod has the name that this build needs; an admin has to look at it.",
                Reason.EXECUTOR_LOST,
            )
        if pod["metadata"].get("deletionTimestamp"):
            await self._wait_until_gone(pod)
            return self._claimed(known, pod, ClaimState.GONE)
        # our own, whose answer was lost, is told of from its beginning, even if it is over by now
        ours = known.id == request.id
        if not verdict.started(pod) and not verdict.finished(pod):
            # the process that created it may have ended before it had done this
            await self._lend(pod, private)
        return self._claimed(known, pod, ClaimState.CREATED if ours else _state(pod))

    async def _wait_until_gone(self, pod: Json) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self._watch.learn(pod)
        end = self._clock.now() + _DELETION
        with self._watch.subscribe(uid) as subscription:
            while self._clock.now() < end:
                subscription.changed.clear()
                if subscription.gone:
                    return
                await wait_for(subscription.changed, 5, self._clock)
                if not subscription.changed.is_set():
                    # the watch may be blind just now
                    found = await self._api.get_pod(name)
                    if found is None or found["metadata"]["uid"] != uid:
                        self._watch.forget(uid)
        raise BuildFailed(
            "An earlier build of this is still being deleted; try again later.",
            Reason.EXECUTOR_LOST,
        )

    def _claimed(self, request: BuildRequest, pod: Json, state: ClaimState) -> Claim:
        self._watch.learn(manifest.slim(pod))
        return Claim(request, pod["metadata"]["uid"], state)

    async def _pause(self, attempt: int) -> None:
        await self._clock.sleep(random.uniform(0.05, 0.3) * 2 ** min(attempt, 4))  # noqa: S311 -- jitter

    async def _list(self) -> Json:
        found = await self._api.list_pods(manifest.SELECTOR)
        return found | {"items": [manifest.slim(pod) for pod in found.get("items") or []]}

    async def _changes(self, version: str, seconds: int) -> AsyncGenerator[Json, None]:
        changes = self._api.watch_pods(manifest.SELECTOR, version, seconds)
        async with contextlib.aclosing(changes) as events:
            async for event in events:
                if event.get("type") in ("ADDED", "MODIFIED", "DELETED"):
                    yield event | {"object": manifest.slim(event["object"])}
                else:
                    yield event

    def _connect(self) -> PodApi:
        # only here: who brings an API of their own does not wait for the library's import
        from jupyterhub_imagebuilder.executors.kubernetes.client import KubernetesClient

        return KubernetesClient(
            namespace=self.namespace, clock=self._clock, kubeconfig=self.kubeconfig
        )

    def _settings(self) -> manifest.PodSettings:
        return manifest.PodSettings(
            build_image=self.build_image,
            instance=self.instance,
            engine_socket_dir=self.engine_socket_dir,
            engine_socket_name=self.engine_socket_name,
            engine_wait=self.engine_wait,
            push_secret=self.push_secret,
            push_secret_key=self.push_secret_key,
            deadline=self.deadline,
            image_pull_secrets=self.image_pull_secrets,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
            resources=self.resources,
            priority_class=self.priority_class,
            extra_env=self.extra_env,
            buildx_args=self.buildx_args,
            repo2docker_extra_args=self.repo2docker_extra_args,
        )


def _state(pod: Json) -> ClaimState:
    return ClaimState.FINISHED if verdict.finished(pod) else ClaimState.RUNNING


def _refuses(error: ApiError, attempt: int) -> bool:
    """Whether this is a refusal that will not pass by itself."""
    policy = any(words in error.words for words in _POLICY)
    return error.code == HTTPStatus.FORBIDDEN and (policy or attempt >= _REFUSALS)


def _refused(error: ApiError) -> ExecutorUnavailable | BuildFailed:
    if "exceeded quota" in error.words:
        return BuildFailed(
            f"The quota of the builds' namespace is used up: {error.words}", Reason.QUOTA
        )
    return ExecutorUnavailable(f"Kubernetes refuses the build pod: {error.words}")
