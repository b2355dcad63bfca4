"""What a pod does from its creation to its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from jupyterhub_imagebuilder.executors.kubernetes.api import Json


class Act(Enum):
    """What happens beside output and pauses."""

    PUSH = "the image arrives in the registry"


PUSH = Act.PUSH
#: Bytes are written, numbers are seconds that pass.
Step = bytes | float | Act


@dataclass(frozen=True)
class Program:
    """One pod's life; times in seconds."""

    scheduled: float | None = 0.1  #: until it has a node; None: never
    starts: float | None = 0.5  #: from there until its container runs; None: never
    steps: Sequence[Step] = ()
    code: int = 0
    reason: str = ""  #: of the container's end, where it is not that of its code
    message: str = ""  #: termination message
    status: Json | None = None  #: more of the pod's status at its end
    condition: Json | None = None  #: of a pod that gets no node
    waiting: tuple[str, str] | None = None  #: what its container says while it does not start
    events: Sequence[tuple[str, str]] = ()  #: Kubernetes' own events while it does not start
    reported: float = 0.2  #: from the container's end until the API server knows
    deaf: bool = False  #: SIGTERM has no effect


def said(message: str, phase: str = "building") -> bytes:
    """A line as repo2docker writes it."""
    return json.dumps({"message": message + "\n", "phase": phase}).encode() + b"\n"


FETCH = said("Cloning into '/tmp/repo'...", "fetching")
BUILD = said("#6 [2/3] RUN pip install cowsay")
PUSHING = said("#9 pushing layers")
PUSHED = said("#9 DONE 3.2s")
WHY = "ERROR: No matching distribution found for nothing-of-that-name"


def builds(*output: Step) -> Program:
    """One that goes through, with more to say."""
    return Program(steps=(FETCH, 0.5, BUILD, *output, 0.5, PUSHING, 1.0, PUSH, PUSHED))


GOOD = builds(*(step for i in range(20) for step in (0.2, said(f"#6 line {i}"))))
FAILS = Program(steps=(FETCH, 0.5, BUILD, 0.5, said(WHY)), code=1, message=WHY)
