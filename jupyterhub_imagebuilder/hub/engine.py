"""What a container engine's error in a start says to the user.

The engine's answers are those of its API (status and ``message``), as the Docker SDK raises them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason
from jupyterhub_imagebuilder.hub.pod import verdict

_CANNOT_RUN: Final = "exec:"  # what the runtime says where the command is not in the image
_GONE: Final = "no such image"
_DISK_FULL: Final = "no space left on device"
#: A registry that has none of that name, or shows none to this engine.
_NOT_THERE: Final = re.compile(
    "manifest unknown|repository does not exist|not found|access denied|unauthorized", re.IGNORECASE
)
_ADMINS: Final = "the hub's administrators have to look at the hub's log."
GONE: Final = "The image is gone from this machine; start the server again to have it built."


def engine_errors() -> tuple[type[Exception], ...]:
    """What a call of the engine raises: its refusals, and that it does not answer."""
    from docker.errors import DockerException
    from requests import RequestException

    return DockerException, RequestException


def said_by(error: Exception) -> str:
    """The engine's words, for the log."""
    return str(getattr(error, "explanation", None) or error)


def start_failure(error: Exception) -> ImageBuilderError:
    """The sentence for an error in the start of an image that was built."""
    said = said_by(error)
    if _CANNOT_RUN in said and (sentence := verdict({"reason": "StartError", "message": said})):
        return ImageBuilderError(sentence, Reason.IMAGE_UNUSABLE)
    if _GONE in said.lower():
        return ImageBuilderError(GONE, Reason.IMAGE_UNKNOWN)
    return _engine_failure(error, said)


def named_failure(error: Exception, image: str) -> ImageBuilderError:
    """The sentence for an error in the start of an image that its user named."""
    said = said_by(error)
    if _CANNOT_RUN in said:
        return ImageBuilderError(
            f"The image {image} cannot run a server: the command that starts it is not in it.",
            Reason.IMAGE_UNUSABLE,
        )
    if _GONE in said.lower() or (_is_about_the_image(error) and _NOT_THERE.search(said)):
        return ImageBuilderError(
            f"The engine cannot get the image {image}: look at its name and its tag.",
            Reason.IMAGE_PULL,
        )
    return _engine_failure(error, said)


def _is_about_the_image(error: Any) -> bool:
    """Whether it answers a pull; other things of a container may be missing, too."""
    response = getattr(error, "response", None)
    url = str(getattr(response, "url", ""))
    return "/images/" in url or "/distribution/" in url


def _engine_failure(error: Exception, said: str) -> ImageBuilderError:
    if _DISK_FULL in said.lower():
        return ImageBuilderError(
            f"The disk of the container engine is full; {_ADMINS}", Reason.DISK_FULL
        )
    if getattr(error, "response", None) is None:
        return ImageBuilderError(
            f"The container engine does not answer; try again in a minute, or {_ADMINS}",
            Reason.ENGINE_UNAVAILABLE,
        )
    return ImageBuilderError(
        f"The container engine refused to start the server; {_ADMINS}", Reason.ENGINE_UNAVAILABLE
    )
