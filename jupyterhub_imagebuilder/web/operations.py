"""What a handler's method takes and answers, said beside it; :mod:`.openapi` assembles it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jupyterhub_imagebuilder.errors import ImageBuilderError

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])

_ATTRIBUTE = "operation"
JSON, TEXT, STREAM = "application/json", "text/plain", "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer."""

    says: str
    schema: str | None = None  #: name in :mod:`.schemas`; None: there is no body of JSON
    media: str | None = None  #: None: JSON where there is a schema, else no body
    headers: Mapping[str, str] = field(default_factory=dict)  #: and what they say


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    summary: str
    answers: Mapping[int, Answer]
    errors: Sequence[type[ImageBuilderError]] = ()  #: beside those that every operation has
    body: str | None = None  #: the schema of what is sent
    parameters: Sequence[Mapping[str, Any]] = ()  #: beside those in the path
    secured: bool = True  #: whether it needs a token


def describes(operation: Operation) -> Callable[[Method], Method]:
    """Keep the description of a handler's method with it."""

    def keep(method: Method) -> Method:
        setattr(method, _ATTRIBUTE, operation)
        return method

    return keep


def described(method: Callable[..., object]) -> Operation | None:
    """The description of a handler's method."""
    found: Operation | None = getattr(method, _ATTRIBUTE, None)
    return found
