"""Builds and events as the REST API's JSON (docs/reference/rest-api.md).  Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jupyterhub_imagebuilder.builds.administration import Overview
from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.changes import Change, Gone
from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine
from jupyterhub_imagebuilder.builds.model import Owner, Refs
from jupyterhub_imagebuilder.builds.outlook import Limits, Outlook
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.suggestions import Recent
from jupyterhub_imagebuilder.health import Report


def build_document(build: Build, viewer: Owner) -> dict[str, Any]:
    """A build, as one viewer may see it."""
    spec = build.request.spec
    # what somebody works with is no business of who asks for the same
    may_know = viewer.admin or build.belongs_to(viewer)
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
        "pinned": build.request.resolved.pinned,
        "digest": build.digest,
        "cached": build.cached,
        "created": _time(build.created),
        "phases": {phase.value: _time(when) for phase, when in build.entered.items()},
        "finished": _time(build.finished),
        "position": build.position if build.phase is Phase.WAITING else None,
        "owner": build.request.owner.name if may_know else None,
        "mine": build.asked_by(viewer),
        "published": build.published,
        "size": build.size,
    }


def change_document(change: Change, viewer: Owner) -> dict[str, Any]:
    """What changed in a list of builds."""
    if isinstance(change, Gone):
        return {"type": "gone", "id": change.id}
    return {"type": "build", "build": build_document(change, viewer)}


def outlook_document(outlook: Outlook) -> dict[str, Any]:
    """What a request would lead to."""
    spec, image, digest = outlook.resolved.spec, outlook.image, outlook.digest
    return {
        "provider": spec.provider,
        "spec": spec.spec,
        "repository": spec.repository,
        "ref": spec.ref,
        "commit": outlook.resolved.commit,
        "title": outlook.resolved.title,
        "date": _time(outlook.resolved.date),
        "image": image.at(digest) if digest else str(image),
        "digest": digest,
        "cached": digest is not None,
        "why": outlook.why,
        "under_way": outlook.under_way,
        "build": outlook.build.id if outlook.build else None,
        "expected_seconds": outlook.seconds,
        "limits": limits_document(outlook.limits),
        "familiar": outlook.familiar,
    }


def refs_document(refs: Refs) -> dict[str, Any]:
    """Branches and tags."""
    return {
        "refs": [
            {"name": ref.name, "kind": ref.kind.value, "commit": ref.commit} for ref in refs.refs
        ],
        "default": refs.default,
        "more": refs.more,
    }


def recent_document(recent: Recent) -> dict[str, Any]:
    """A repository that was asked for before."""
    spec = recent.wanted.spec
    return {
        "text": recent.text,
        "repository": spec.repository,
        "ref": spec.ref,
        "provider": spec.provider,
        "used": _time(recent.wanted.when),
    }


def overview_document(overview: Overview) -> dict[str, Any]:
    """What goes on."""
    figures = overview.figures
    disk = figures.disk
    return {
        "limits": limits_document(overview.limits),
        "failures": [
            {"reason": each.reason.value, "count": each.count, "last": _time(each.last)}
            for each in figures.failures
        ],
        "since": _time(overview.since),
        "images": {"count": figures.images, "bytes": figures.size},
        "disk": {"used": disk.used, "total": disk.total} if disk else None,
    }


def limits_document(limits: Limits) -> dict[str, Any]:
    """What may be, and what is; a limit that is not set is null."""
    allowed, used = limits.allowed, limits.used
    return {
        "running": _limit(allowed.running, used.running),
        "waiting": _limit(allowed.waiting, used.waiting),
        "user": _limit(allowed.per_user, used.user_running),
        "repository": _limit(allowed.per_repository, used.repository_running),
        "user_waiting": used.user_waiting,
        "queue_seconds": limits.queue,
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


def _limit(limit: int, used: int | None) -> dict[str, int | None]:
    return {"limit": limit or None, "used": used}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
