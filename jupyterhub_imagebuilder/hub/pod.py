"""What a user's pod says about an image that cannot run a server.

Reads the pod's status as the Kubernetes API has it (core/v1 ``ContainerState``); the words are the
kubelet's, containerd's and CRI-O's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason

_PULL: Final = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CANNOT_RUN: Final = {
    "StartError",
    "ContainerCannotRun",
    "RunContainerError",
    "CreateContainerError",
}
_NOT_FOUND_EXIT: Final = 127
_SAID_LENGTH: Final = 300
_MISSING: Final = re.compile(
    "executable file not found|no such file or directory|command not found",
    re.IGNORECASE,
)


def cannot_run(pod: Mapping[str, Any], image: str) -> ImageBuilderError | None:
    """The reason why this image will never run a server; None as far as one can tell."""
    status = _container(pod, image)
    for state in (status.get("state"), status.get("lastState")):
        for part in ("waiting", "terminated"):
            if sentence := verdict((state or {}).get(part) or {}):
                return ImageBuilderError(sentence, Reason.IMAGE_UNUSABLE)
    return None


def pull_fails(pod: Mapping[str, Any], image: str) -> ImageBuilderError | None:
    """Why the node cannot pull this image now; None when it does not say so."""
    waiting = (_container(pod, image).get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _PULL:
        return None
    return ImageBuilderError(
        "The image was built, but the server's node cannot pull it: the hub's administrators "
        "have to look at the pull secret and the registry.",
        Reason.IMAGE_PULL,
    )


def verdict(part: Mapping[str, Any]) -> str | None:
    """What the end of a container says about its image, in a sentence.

    :param part: ``reason``, ``message`` and ``exitCode`` of a ``ContainerState``.
    """
    message = str(part.get("message") or "")
    refused = part.get("reason") in _CANNOT_RUN
    missing = _MISSING.search(message) and (refused or "jupyterhub-singleuser" in message)
    if missing or part.get("exitCode") == _NOT_FOUND_EXIT:
        return (
            "The image was started, but the program that a server runs (jupyterhub-singleuser) "
            "is missing in it; add jupyterhub to what the repository installs."
        )
    if refused:
        said = " ".join(message.split())[:_SAID_LENGTH] or part.get("reason")
        return f"The image cannot be started; its node says: {said}"
    return None


def _container(pod: Mapping[str, Any], image: str) -> Mapping[str, Any]:
    """The status of the server's container, if it is of this image.

    A pod of the start before may still be there under the same name.
    """
    spec = pod.get("spec") or {}
    names = [each.get("name") for each in spec.get("containers", ()) if each.get("image") == image]
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") in names:
            found: Mapping[str, Any] = status
            return found
    return {}
