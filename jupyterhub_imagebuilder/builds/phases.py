"""The phases of a build, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """User-visible stage of a build.  Kubernetes' own is always called *pod phase*."""

    WAITING = "waiting"  #: accepted; in the queue, or its pod is not running yet
    FETCHING = "fetching"  #: the repository is being cloned
    BUILDING = "building"  #: the engine carries out the steps
    PUSHING = "pushing"  #: the image is on its way into the registry
    BUILT = "built"  #: the registry answers for the image
    FAILED = "failed"  #: ended without an image; the reason says why
    CANCELLED = "cancelled"  #: stopped by someone who may do so

    @property
    def terminal(self) -> bool:
        """Whether the build is over: no event follows a terminal one."""
        return self in TERMINAL


TERMINAL = frozenset({Phase.BUILT, Phase.FAILED, Phase.CANCELLED})

_ORDER = (Phase.WAITING, Phase.FETCHING, Phase.BUILDING, Phase.PUSHING)


def may_follow(current: Phase, new: Phase) -> bool:
    """Whether ``new`` may come after ``current``.

    Open phases only move forward: text that looks like an earlier one (a step that prints
    "Cloning into") is a log line and no phase.  Every open phase may end in a terminal one.
    """
    if current.terminal:
        return False
    if new.terminal:
        return True
    return _ORDER.index(new) > _ORDER.index(current)
