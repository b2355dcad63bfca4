"""What can happen to one call, or to one stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """The server answers with an error and does nothing."""

    code: int
    words: str = ""


@dataclass(frozen=True)
class NotHeard:
    """The question never arrives; the client gives up after a while."""

    seconds: float = 30.0


@dataclass(frozen=True)
class AnswerLost:
    """It takes effect, and the answer never arrives."""

    seconds: float = 30.0


@dataclass(frozen=True)
class Slow:
    """Each way takes so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Twice:
    """Something between client and server sends the question again; the second answer counts."""


@dataclass(frozen=True)
class Stale:
    """The answer of a server that is so many changes behind."""

    changes: int = 5


@dataclass(frozen=True)
class Cut:
    """A log's stream ends behind so many bytes: as if complete, or with an error."""

    after: int
    clean: bool = False


@dataclass(frozen=True)
class Dead:
    """A log's stream gives nothing behind so many bytes, until the client gives up."""

    after: int = 0


Fault = Refused | NotHeard | AnswerLost | Slow | Twice | Stale | Cut | Dead
