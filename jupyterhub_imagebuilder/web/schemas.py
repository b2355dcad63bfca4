"""The shapes of what goes in and out, in JSON Schema 2020-12, by their names in the description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyterhub_imagebuilder.builds.model import RefKind
from jupyterhub_imagebuilder.builds.parse import MAX_LENGTH
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import Reason

_TEXT = {"type": "string"}
_SAY = {"type": "string", "minLength": 1}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": "string", "format": "date-time"}
_PHASE = {"enum": [phase.value for phase in Phase]}
_REASON = {"enum": [reason.value for reason in Reason]}
_COMMIT = {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(optional: Sequence[str] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _limit(says: str) -> dict[str, Any]:
    return _object(limit=_or_null({"type": "integer", "minimum": 1}), used=_or_null(_COUNT)) | {
        "description": says
    }


_OWNER = _object(("groups", "admin"), name=_SAY, groups=_list(_TEXT), admin=_FLAG) | {
    "description": "Only with the service's own token: in whose name this is asked."
}
_REPOSITORY = {
    "type": "string",
    "maxLength": MAX_LENGTH,
    "description": "What a person pastes: an address, a ref behind '@', a DOI; or "
    "build:<provider>/<spec>.",
    "examples": ["https://github.com/org/repo@main", "build:gh/org/repo/main"],
}
_WHAT: dict[str, Any] = {
    "provider": _SAY,
    "spec": _TEXT,
    "repository": _SAY,
    "ref": _TEXT,
    "commit": _SAY,
}

SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Error": _object(reason=_or_null(_REASON), message=_SAY),
    "Owner": _OWNER,
    "Question": _object(
        ("commit", "owner"),
        repository=_REPOSITORY,
        commit=_or_null(_COMMIT),
        owner=_or_null(_ref("Owner")),
    ),
    "ImageQuestion": _object(("owner",), image=_TEXT, owner=_or_null(_ref("Owner"))),
    "Image": _object(image=_SAY),
    "Build": _object(
        id=_SAY,
        phase=_PHASE,
        message=_SAY,
        reason=_or_null(_REASON),
        **_WHAT,
        image=_SAY,
        pinned=_SAY | {"description": "What one would write to get this very commit again."},
        digest=_or_null(_SAY),
        cached=_FLAG,
        created=_TIME,
        phases={
            "type": "object",
            "propertyNames": _PHASE,
            "additionalProperties": _TIME,
            "description": "When it entered each of its phases.",
        },
        finished=_or_null(_TIME),
        position=_or_null({"type": "integer", "minimum": 1})
        | {"description": "Place in the queue; null: it does not wait for its turn."},
        owner=_or_null(_TEXT)
        | {"description": "Who asked first; null where the caller has no business to know."},
        mine=_FLAG | {"description": "Whether the caller asked for it."},
        published=_FLAG | {"description": "Whether it is in everybody's list."},
        size=_or_null(_COUNT) | {"description": "Bytes of the image's compressed layers."},
    ),
    "Builds": _object(builds=_list(_ref("Build"))),
    "Outlook": _object(
        **_WHAT,
        title=_or_null(_TEXT) | {"description": "First line of the commit's message."},
        date=_or_null(_TIME) | {"description": "The commit's."},
        image=_SAY,
        digest=_or_null(_SAY),
        cached=_FLAG,
        why=_SAY,
        under_way=_FLAG | {"description": "A build would be joined."},
        build=_or_null(_SAY) | {"description": "Its id, where the caller may see it."},
        expected_seconds=_or_null({"type": "number", "minimum": 0})
        | {"description": "What earlier builds of the repository took."},
        limits=_ref("Limits"),
        familiar=_FLAG
        | {"description": "The caller has an image of the repository, or one is published."},
    ),
    "Limits": _object(
        running=_limit("Builds of everybody that run."),
        waiting=_limit("Builds of everybody that wait for their turn."),
        user=_limit("Builds of the caller that run."),
        repository=_limit("Builds of the repository that run; null: none is named."),
        user_waiting=_COUNT | {"description": "Builds of the caller that wait."},
        queue_seconds={
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "How long a build may wait for its turn.",
        },
    ),
    "Refs": _object(
        refs=_list(_object(name=_SAY, kind={"enum": [kind.value for kind in RefKind]}, commit=_SAY))
        | {"maxItems": 500},
        default=_or_null(_SAY) | {"description": "The branch that the host shows first."},
        more=_FLAG | {"description": "Whether there are others."},
    ),
    "Repositories": _object(
        repositories=_list(
            _object(
                text=_SAY | {"description": "What one would paste."},
                repository=_SAY,
                ref=_TEXT,
                provider=_SAY,
                used=_TIME | {"description": "When it was asked for last."},
            )
        )
        | {"maxItems": 20}
    ),
    "Change": {
        "oneOf": [
            _object(type={"const": "listening"}),
            _object(type={"const": "build"}, build=_ref("Build")),
            _object(type={"const": "gone"}, id=_SAY),
        ]
    },
    "Overview": _object(
        limits=_ref("Limits"),
        failures=_list(_object(reason=_REASON, count=_COUNT, last=_TIME))
        | {"description": "Builds that failed, by reason, most frequent first."},
        since=_TIME | {"description": "What they are counted from."},
        images=_object(count=_COUNT, bytes=_COUNT),
        disk=_or_null(_object(used=_COUNT, total=_COUNT))
        | {"description": "The file system of the history; null: it is elsewhere."},
    ),
    "Provider": _object(
        id=_SAY,
        name=_SAY,
        refs=_FLAG | {"description": "Whether a branch, tag or commit can be chosen."},
        spec=_TEXT | {"description": "The form of build:<id>/<spec>; empty: not known."},
        examples=_list(_SAY) | {"description": "What may be pasted."},
    ),
    "Providers": _object(providers=_list(_ref("Provider"))),
    "RepoProviders": _list(
        {"type": "object", "required": ["id", "displayName", "spec", "repo", "ref"]}
    )
    | {"description": "As BinderHub has it."},
    "Event": {
        "oneOf": [
            _object(type={"const": "log"}, text=_TEXT, phase=_or_null(_PHASE)),
            _object(type={"const": "gap"}, message=_SAY),
            _object(
                type={"const": "phase"},
                phase=_PHASE,
                message=_SAY,
                reason=_or_null(_REASON),
                image=_or_null(_SAY),
                digest=_or_null(_SAY),
            ),
        ]
    },
    "BinderHubEvent": {
        "type": "object",
        "properties": {"phase": _SAY, "message": _TEXT, "imageName": _SAY},
        "required": ["message"],
        "description": "As BinderHub's build API has it.",
    },
    "Check": _object(
        ("required", "message"), service=_SAY, ok=_FLAG, required=_FLAG, message=_TEXT
    ),
    "Health": _object(ok=_FLAG, checks=_list(_ref("Check"))),
    "Versions": {"type": "object", "description": "Versions by the names of what they are of."},
    "Description": {
        "type": "object",
        "properties": {"openapi": _SAY, "paths": {"type": "object"}},
        "required": ["openapi", "paths"],
    },
}
