"""The description of the whole API (OpenAPI 3.1.0), assembled from what handlers say of themselves.

The handlers of BinderHub's build API and of operations are described here.
"""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from tornado.web import RequestHandler

from jupyterhub_imagebuilder._version import __version__
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    AuthenticationRequired,
    ImageBuilderError,
    ServiceUnavailable,
)
from jupyterhub_imagebuilder.web import build, ops
from jupyterhub_imagebuilder.web.base import Handler, methods_of
from jupyterhub_imagebuilder.web.operations import (
    JSON,
    STREAM,
    TEXT,
    Answer,
    Operation,
    described,
    describes,
)
from jupyterhub_imagebuilder.web.schemas import SCHEMAS

_ALWAYS = (AuthenticationRequired, AccessDenied, ServiceUnavailable)
#: What stands in our patterns where a path has a value, and its name.
_ID = "([^/]+)"
_NAMED = {"build(?:/.*)?": "build/{provider}/{spec}"}

_VERSIONS = Operation(
    summary="Name the versions of the service and of the image that builds",
    answers={200: Answer("The versions.", "Versions")},
    secured=False,
)
_ELSEWHERE: Mapping[type[RequestHandler], Operation] = {
    build.BuildHandler: Operation(
        summary="BinderHub's build API: start or join a build and watch it",
        answers={200: Answer("Events, refusals among them.", "BinderHubEvent", media=STREAM)},
    ),
    ops.HealthHandler: Operation(
        summary="Tell whether all parts answer that builds need",
        answers={200: Answer("They do.", "Health"), 503: Answer("They do not.", "Health")},
        secured=False,
    ),
    ops.MetricsHandler: Operation(
        summary="Counts and durations, for Prometheus",
        answers={200: Answer("Prometheus' text format.", media=TEXT)},
    ),
    ops.VersionsHandler: _VERSIONS,
}


class OpenAPIHandler(Handler):
    """``/api/openapi.json``: needs no token."""

    @describes(
        Operation(
            summary="This description",
            answers={200: Answer("OpenAPI 3.1.", "Description")},
            secured=False,
        )
    )
    async def get(self) -> None:
        """Describe the API."""
        self.write(_document(self.settings["prefix"]))


@functools.cache
def _document(prefix: str) -> str:
    return json.dumps(description(prefix))


def description(prefix: str) -> dict[str, Any]:
    """The description of everything below ``prefix``, as JSON."""
    # it lists this module's handler, too
    from jupyterhub_imagebuilder.web.routes import ROUTES

    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for pattern, handler in ROUTES:
        path = path_of(pattern)
        for method, operation in operations(handler):
            paths[path][method] = _operation(path, method, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyterhub-imagebuilder",
            "version": __version__,
            "description": "Build images from repositories, and watch it.",
        },
        "servers": [{"url": prefix.removesuffix("/") or "/"}],
        "paths": dict(paths),
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def path_of(pattern: str) -> str:
    """The path that a route's pattern stands for."""
    return "/" + _NAMED.get(pattern, pattern).replace(_ID, "{id}").replace("\\", "")


def operations(handler: type[RequestHandler]) -> Iterator[tuple[str, Operation]]:
    """The methods that a handler answers, with their descriptions.

    :raises LookupError: one of them has none.
    """
    for method in methods_of(handler):
        operation = described(getattr(handler, method)) or _ELSEWHERE.get(handler)
        if operation is None:
            raise LookupError(f"{handler.__name__} {method} is not described")
        yield method, operation


def _operation(path: str, method: str, operation: Operation) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    found: dict[str, Any] = {
        "operationId": f"{method} {path}",
        "summary": operation.summary,
        "parameters": [*in_path, *operation.parameters],
        "responses": _responses(method, operation),
        "security": [{"token": []}] if operation.secured else [],
    }
    if operation.body is not None:
        content = {JSON: {"schema": _schema(operation.body)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _responses(method: str, operation: Operation) -> dict[str, Any]:
    found = _failures(operation)
    for status, answer in operation.answers.items():
        found[str(status)] = _answer(answer, has_body=method != "head")
    return found


def _answer(answer: Answer, *, has_body: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"description": answer.says}
    media = answer.media or (JSON if answer.schema else None)
    if media and has_body:
        found["content"] = {media: {"schema": _content(answer.schema, media)}}
    if answer.headers:
        found["headers"] = {
            name: {"description": says, "schema": {"type": "string"}}
            for name, says in answer.headers.items()
        }
    return found


def _content(name: str | None, media: str) -> dict[str, Any]:
    """The schema of a body; of a stream, that of each of its events."""
    if name is None:
        return {"type": "string"}
    if media == JSON:
        return _schema(name)
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": _schema(name)}
    return {
        "type": "object",
        "properties": {"data": data, "id": {"type": "string"}},
        "required": ["data"],
    }


def _failures(operation: Operation) -> dict[str, Any]:
    """The statuses of refusals, and the reasons that usually stand behind each of them."""
    errors: list[type[ImageBuilderError]] = [*operation.errors, ImageBuilderError]
    if operation.secured:
        errors += _ALWAYS
    reasons: dict[int, set[str]] = defaultdict(set)
    reasons[HTTPStatus.BAD_REQUEST] = set()  # what is no HTTP that can be understood
    for error in errors:
        reasons[error.status].add(error.reason.value)
    if operation.body is not None:
        reasons[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] = set()
    return {
        str(int(status)): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(sorted(names))}"
            if names
            else HTTPStatus(status).phrase,
            "content": {JSON: {"schema": _schema("Error")}},
        }
        for status, names in sorted(reasons.items())
    }


def _schema(name: str) -> dict[str, str]:
    if name not in SCHEMAS:
        raise LookupError(f"there is no schema {name}")
    return {"$ref": f"#/components/schemas/{name}"}
