"""A build as a container, and back: what its labels say is enough to adopt it.  Pure.

Source of the format: Docker Engine API 1.41, ``POST /containers/create`` and the answers of
``GET /containers/json`` and ``GET /containers/{id}/json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState
from jupyterhub_imagebuilder.executors import carried, entrypoint, repo2docker
from jupyterhub_imagebuilder.executors.docker.engine import Json
from jupyterhub_imagebuilder.executors.private import FETCHED_FOLDER, Private

#: Of every container and image of ours; the value tells image builders of one engine apart.
INSTANCE = carried.PREFIX + "instance"
#: Of a container: its identity.
UID = carried.PREFIX + "uid"
#: Of an image: the name that it was built under.
IMAGE = carried.PREFIX + "image"
#: Where the push credentials are put in the container.
CREDENTIALS = "/imagebuilder/config.json"

_ENGINE_SOCKET = "/var/run/docker.sock"
#: Bytes of log that a build may write.
_LOG_LIMIT = 100 * 2**20
_RUNNING = frozenset({"created", "running", "paused", "restarting"})
_LEAVING = frozenset({"removing", "dead"})


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """What all containers of builds have in common; the executor's traits say what each is for."""

    build_image: str
    instance: str
    engine_socket: str
    deadline: int = 7200
    engine_wait: int = 60
    memory: int = 0
    cpus: float = 0.0
    network: str = ""
    extra_env: Mapping[str, str] = field(default_factory=dict)
    buildx_args: Sequence[str] = ()
    repo2docker_extra_args: Sequence[str] = ()


def build_container(
    request: BuildRequest, settings: ContainerSettings, uid: str, private: Private | None = None
) -> Json:
    """The container that carries out a build.

    :param uid: its identity; the engine's own id is known only when the image is there.
    :param private: how its repository is fetched, where that takes a login.
    """
    environment = {
        **settings.extra_env,
        "DOCKER_HOST": f"unix://{_ENGINE_SOCKET}",
        "DOCKER_CONFIG": CREDENTIALS.rpartition("/")[0],
        "IMAGEBUILDER_ENGINE_WAIT": str(settings.engine_wait),
        "IMAGEBUILDER_DEADLINE": str(settings.deadline),
        "IMAGEBUILDER_LOG_LIMIT": str(_LOG_LIMIT),
        "PYTHONUNBUFFERED": "1",
    }
    return {
        "Image": settings.build_image,
        # -I: nothing in the image's working directory may stand in for the standard library
        "Entrypoint": [
            # it fetches, removes the login, and only then becomes the program that builds
            *(private.command() if private else ()),
            *("python3", "-I", "-c", carried.program()),
        ],
        "Cmd": [
            *([f"{entrypoint.FETCHED}{FETCHED_FOLDER}"] if private else ()),
            *repo2docker.arguments(
                request,
                buildx_args=settings.buildx_args,
                extra_args=[*_labels(request, settings), *settings.repo2docker_extra_args],
            ),
        ],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": {
            **carried.write_request(request),
            INSTANCE: settings.instance,
            UID: uid,
        },
        "HostConfig": _host(settings),
    }


def is_build(container: Json) -> bool:
    """Whether a container, listed or inspected, is one that builds: it has the engine's socket.

    Its labels do not say: a container inherits those of its image, and those of a user's server
    are what the author of a Dockerfile likes.
    """
    return any(
        mount.get("Type") == "bind" and mount.get("Destination") == _ENGINE_SOCKET
        for mount in container.get("Mounts") or ()
    )


def read_claim(container: Json) -> Claim | None:
    """The build that a container is for, listed or inspected; None when it does not say."""
    if not is_build(container):
        return None
    labels = container.get("Labels") or (container.get("Config") or {}).get("Labels") or {}
    name = container.get("Name") or next(iter(container.get("Names") or ()), "")
    request = carried.read_request(name.removeprefix("/"), labels)
    uid = labels.get(UID)
    if request is None or not uid:
        return None
    state = ClaimState.RUNNING if status(container) in _RUNNING else ClaimState.FINISHED
    return Claim(request, uid, state)


def status(container: Json) -> str:
    """The engine's word for its state."""
    state = container.get("State") or ""
    return str(state.get("Status") or "") if isinstance(state, dict) else str(state)


def leaving(container: Json) -> bool:
    """Whether it is being removed."""
    return status(container) in _LEAVING


def _labels(request: BuildRequest, settings: ContainerSettings) -> list[str]:
    """Arguments that mark the image as ours."""
    return ["--label", f"{INSTANCE}={settings.instance}", "--label", f"{IMAGE}={request.image}"]


def _host(settings: ContainerSettings) -> Json:
    host: Json = {
        # the socket alone, as its folder may hold those of others; a mount, not a "bind": that
        # one would make a folder where there is no socket
        "Mounts": [
            {"Type": "bind", "Source": settings.engine_socket, "Target": _ENGINE_SOCKET},
        ],
        # whatever the engine's default is, this one can be read back; and it is never rotated:
        # readers that follow would lose lines, or see them twice (Docker 20.10)
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "100g"}},
        "RestartPolicy": {"Name": "no"},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
    }
    if settings.memory:
        host |= {"Memory": settings.memory, "MemorySwap": settings.memory}
    if settings.cpus:
        host["NanoCpus"] = int(settings.cpus * 1e9)
    if settings.network:
        host["NetworkMode"] = settings.network
    return host
