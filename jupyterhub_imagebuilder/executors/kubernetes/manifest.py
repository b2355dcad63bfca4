"""A build as a pod, and back: what the pod says about itself is enough to adopt it.  Pure."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.executors import carried, entrypoint, repo2docker
from jupyterhub_imagebuilder.executors.kubernetes.api import Json
from jupyterhub_imagebuilder.executors.kubernetes.placement import Placement
from jupyterhub_imagebuilder.executors.private import FETCHED_FOLDER, LOGIN_FOLDER, Private

#: The container that builds.
CONTAINER = "builder"
#: What runs before it where the repository is private.
FETCHER = "fetcher"
#: Labels that every build pod of this project has, and no other pod.
SELECTOR = "app.kubernetes.io/managed-by=jupyterhub-imagebuilder,app.kubernetes.io/component=build"

_INSTANCE = "app.kubernetes.io/instance"
_KEY_LABEL = carried.PREFIX + "key"
#: Kubernetes' limit for a label's value is 63.
_KEY_LABEL_LENGTH = 40
_ENGINE_FOLDER = "/var/run/imagebuilder-engine"
_DOCKER_FOLDER = "/var/run/imagebuilder-docker"
_LOGIN = "login"
_FETCHED = "fetched"


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What all build pods have in common; the executor's traits say what each is for."""

    build_image: str
    instance: str
    engine_socket_dir: str
    engine_socket_name: str = "docker-api.sock"
    engine_wait: int = 60
    push_secret: str = ""
    push_secret_key: str = ".dockerconfigjson"  # noqa: S105 -- a key's name
    deadline: int = 7200
    image_pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    priority_class: str = ""
    extra_env: Mapping[str, str] = field(default_factory=dict)
    buildx_args: Sequence[str] = ()
    repo2docker_extra_args: Sequence[str] = ()


def build_pod(
    request: BuildRequest,
    settings: PodSettings,
    placement: Placement,
    private: Private | None = None,
) -> Json:
    """The pod that carries out a build.

    :param private: how its repository is fetched, where that takes a login.
    """
    spec: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": settings.deadline,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [dict(toleration) for toleration in settings.tolerations],
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
        "containers": [_container(request, settings)],
        "volumes": _volumes(settings),
    }
    if private:
        _add_fetcher(spec, request, settings, private)
    if settings.priority_class:
        spec["priorityClassName"] = settings.priority_class
    affinity = placement.affinity()
    if affinity:
        spec["affinity"] = affinity
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": request.name,
            "labels": {
                "app.kubernetes.io/managed-by": "jupyterhub-imagebuilder",
                "app.kubernetes.io/component": "build",
                _INSTANCE: settings.instance,
                _KEY_LABEL: request.key[:_KEY_LABEL_LENGTH],
            },
            "annotations": {
                **carried.write_request(request),
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
        },
        "spec": spec,
    }


def login_secret(pod: Json, private: Private) -> Json | None:
    """The Secret that a pod waits for, which goes when the pod goes; None where it needs none.

    :param pod: as Kubernetes has it.
    """
    metadata = pod["metadata"]
    for volume in pod["spec"].get("volumes") or []:
        if volume["name"] == _LOGIN:
            return {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {
                    "name": volume["secret"]["secretName"],
                    "labels": dict(metadata["labels"]),
                    "ownerReferences": [
                        {
                            "apiVersion": "v1",
                            "kind": "Pod",
                            "name": metadata["name"],
                            "uid": metadata["uid"],
                        }
                    ],
                },
                "data": {
                    name: base64.b64encode(content).decode()
                    for name, content in private.files.items()
                },
            }
    return None


def read_request(pod: Json) -> BuildRequest | None:
    """The request that a pod was created for; None when the pod does not say."""
    metadata = pod["metadata"]
    return carried.read_request(metadata["name"], metadata.get("annotations") or {})


def instance_of(pod: Json) -> str | None:
    """Which image builder created the pod."""
    found: str | None = (pod["metadata"].get("labels") or {}).get(_INSTANCE)
    return found


def slim(pod: Json) -> Json:
    """What is of interest in a pod that is there: a sixth of it, as there may be a thousand."""
    metadata = {name: value for name, value in pod["metadata"].items() if name != "managedFields"}
    spec = pod.get("spec") or {}
    return {
        "metadata": metadata,
        "spec": {"nodeName": spec["nodeName"]} if spec.get("nodeName") else {},
        "status": pod.get("status") or {},
    }


def _add_fetcher(
    spec: Json, request: BuildRequest, settings: PodSettings, private: Private
) -> None:
    """Have the repository fetched by a container that alone has the login."""
    fetched = {"name": _FETCHED, "mountPath": FETCHED_FOLDER}
    login = {"name": _LOGIN, "mountPath": LOGIN_FOLDER, "readOnly": True}
    builder = spec["containers"][0]
    builder["args"].insert(0, f"{entrypoint.FETCHED}{FETCHED_FOLDER}")
    builder["volumeMounts"].append({**fetched, "readOnly": True})
    spec["initContainers"] = [
        {
            "name": FETCHER,
            "image": settings.build_image,
            "command": private.command(),
            "env": [{"name": name, "value": value} for name, value in settings.extra_env.items()],
            "resources": dict(settings.resources),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": builder["securityContext"],
            "volumeMounts": [login, fetched],
        }
    ]
    # its own for each pod: that of an earlier one with the same name may be about to go
    name = f"{request.name}-{secrets.token_hex(4)}"
    spec["volumes"] += [
        {"name": _LOGIN, "secret": {"secretName": name, "optional": False}},
        {"name": _FETCHED, "emptyDir": {}},
    ]


def _container(request: BuildRequest, settings: PodSettings) -> Json:
    environment = {
        **settings.extra_env,
        "DOCKER_HOST": f"unix://{_ENGINE_FOLDER}/{settings.engine_socket_name}",
        "DOCKER_CONFIG": _DOCKER_FOLDER,
        "IMAGEBUILDER_ENGINE_WAIT": str(settings.engine_wait),
        "PYTHONUNBUFFERED": "1",
    }
    return {
        "name": CONTAINER,
        "image": settings.build_image,
        # -I: nothing in the image's working directory may stand in for the standard library
        "command": ["python3", "-I", "-c", carried.program()],
        "args": repo2docker.arguments(
            request,
            buildx_args=settings.buildx_args,
            extra_args=settings.repo2docker_extra_args,
        ),
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": dict(settings.resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(settings),
    }


def _mounts(settings: PodSettings) -> list[Json]:
    mounts: list[Json] = [
        # the folder, not the socket: a node without an engine fails by name instead of hanging,
        # and an engine that was restarted is found again
        {"name": "engine", "mountPath": _ENGINE_FOLDER, "readOnly": True},
        # repo2docker writes beside the credentials
        {"name": "docker", "mountPath": _DOCKER_FOLDER},
    ]
    if settings.push_secret:
        mounts.append(
            {
                "name": "push",
                "mountPath": f"{_DOCKER_FOLDER}/config.json",
                "subPath": "config.json",
                "readOnly": True,
            }
        )
    return mounts


def _volumes(settings: PodSettings) -> list[Json]:
    volumes: list[Json] = [
        {
            "name": "engine",
            "hostPath": {"path": settings.engine_socket_dir, "type": "DirectoryOrCreate"},
        },
        {"name": "docker", "emptyDir": {}},
    ]
    if settings.push_secret:
        volumes.append(
            {
                "name": "push",
                "secret": {
                    "secretName": settings.push_secret,
                    "optional": False,
                    "items": [{"key": settings.push_secret_key, "path": "config.json"}],
                },
            }
        )
    return volumes
