"""What the engine's words and a container's end mean for a build.  Pure.

Source of the words: Docker 20.10 to 28, ``State`` of an inspected container and error messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors import diagnosis
from jupyterhub_imagebuilder.executors.docker.engine import Json
from jupyterhub_imagebuilder.executors.entrypoint import ENGINE_UNAVAILABLE, TIMED_OUT

_WORDS_LIMIT = 400
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_MOUNT = re.compile(r"invalid mount config|bind source path|error mounting|mount denied")
_SIGNALS = frozenset({137, 143})
#: What the engine notes where it was not there at a container's end.
_UNSEEN = 255


def over(container: Json) -> bool:
    """Whether it has ended: its log will not grow."""
    return (container.get("State") or {}).get("Status") in ("exited", "dead", "removing")


def ending(
    container: Json, lines: Sequence[str], *, pushing: bool, engine_left: bool
) -> BuildFailed | None:
    """How a finished container's build ended; None when it went through.

    :param lines: the end of its log.
    :param pushing: the log has shown the push to have begun.
    :param engine_left: the engine was out of reach meanwhile.
    """
    state = container.get("State") or {}
    code = state.get("ExitCode")
    if code == 0 and state.get("Status") == "exited":
        return None
    return _stopped(state, engine_left=engine_left) or _failed(code, lines, pushing=pushing)


def _stopped(state: Json, *, engine_left: bool) -> BuildFailed | None:
    """Why it did not come to an end of its own; None where it did."""
    code = state.get("ExitCode")
    if state.get("OOMKilled"):
        return BuildFailed(
            "The build's container needed more memory than it may use.", Reason.OUT_OF_MEMORY
        )
    if code == _UNSEEN or (code in _SIGNALS and engine_left):
        return engine_went_away()
    if code in _SIGNALS or state.get("Status") != "exited":
        return lost()
    return None


def _failed(code: object, lines: Sequence[str], *, pushing: bool) -> BuildFailed:
    if code == ENGINE_UNAVAILABLE:
        return BuildFailed(
            f"{lines[-1] if lines else 'The container engine does not answer.'}"
            " An admin has to look at it.",
            Reason.ENGINE_UNAVAILABLE,
        )
    if code == TIMED_OUT:
        return BuildFailed("The build took longer than it may.", Reason.TIMEOUT)
    return diagnosis.explain(lines, pushing=pushing)


def lost() -> BuildFailed:
    """Somebody stopped or removed the container."""
    return BuildFailed(
        "The build's container was stopped or removed before the build had ended.",
        Reason.EXECUTOR_LOST,
    )


def engine_went_away() -> BuildFailed:
    """The engine stopped, or does not answer any more."""
    return BuildFailed(
        "The container engine went away before the build had ended; please try again, and tell"
        " an admin if it stays so.",
        Reason.ENGINE_UNAVAILABLE,
    )


def not_started(words: str) -> BuildFailed:
    """The engine refuses to create or start the container."""
    if _DISK_FULL.search(words):
        return BuildFailed(f"The disk of the engine is full: {cut(words)}", Reason.DISK_FULL)
    if _MOUNT.search(words):
        return BuildFailed(
            f"The build's container cannot be created: {cut(words)}", Reason.MOUNT_FAILED
        )
    return BuildFailed(
        f"The build's container cannot be started: {cut(words)}", Reason.EXECUTOR_LOST
    )


def not_pulled(words: str) -> BuildFailed:
    """The image that builds is not there and cannot be pulled."""
    if _DISK_FULL.search(words):
        return not_started(words)
    return BuildFailed(f"The image that builds cannot be pulled: {cut(words)}", Reason.IMAGE_PULL)


def cut(words: str) -> str:
    """At most so much of somebody else's words."""
    text = " ".join(words.split())
    return text if len(text) <= _WORDS_LIMIT else text[: _WORDS_LIMIT - 1] + "…"
