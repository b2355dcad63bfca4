"""Builds and events as the REST API's JSON (docs/reference/rest-api.md).  Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine
from jupyterhub_imagebuilder.health import Report


def build_document(build: Build) -> dict[str, Any]:
    """A build."""
    spec = build.request.spec
    return {
        "id": build.id,
        "phase": build.phase.value,
        "message": build.message,
        "reason": build.reason.value if build.reason else None,
        "provider": spec.provider,
        "spec": spec.spec,
        "repository": spec.repository,
        "ref": spec.ref,
        "commit": build.request.resolved.commit,
        "image": build.image,
        "digest": build.digest,
        "cached": build.cached,
        "created": _time(build.created),
        "phases": {phase.value: _time(when) for phase, when in build.entered.items()},
        "finished": _time(build.finished),
    }


def event_document(event: Event) -> dict[str, Any]:
    """An event of a build."""
    match event:
        case LogLine():
            phase = event.phase.value if event.phase else None
            return {"type": "log", "text": event.text, "phase": phase}
        case Gap():
            return {"type": "gap", "message": event.message}
        case _:
            return {
                "type": "phase",
                "phase": event.phase.value,
                "message": event.message,
                "reason": event.reason.value if event.reason else None,
                "image": event.image,
                "digest": event.digest,
            }


def health_document(report: Report) -> dict[str, Any]:
    """What the parts answered."""
    checks = [
        {"service": check.name, "ok": check.ok}
        | ({} if check.required else {"required": False})
        | ({"message": check.message} if check.message else {})
        for check in report.checks
    ]
    return {"ok": report.ok, "checks": checks}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
