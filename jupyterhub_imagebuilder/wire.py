"""BinderHub's event JSON <-> our events.  The only file that spells BinderHub's words.

Source of the format: BinderHub's ``/build`` handler and its JavaScript client, as measured: one
JSON object per ``data:`` frame with ``phase`` and ``message`` (which ends in a newline),
``imageName`` with ``ready``.  Clients wait for ``ready`` when they build only, take ``failed`` as
the end, and ignore keys that they do not know.  Pure functions; nothing is sent here.

What its clients ask of it, too: a spec in a path, the versions, and the kinds of repositories.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageBuilderError

#: Providers whose specs begin with two names, ``org/repo``.
_TWO_NAMES = frozenset({"gh", "gist", "bb"})
_ESCAPED_PAIR = re.compile(r"\A([^/%]+)%2F([^/%]+)(?=/|\Z)", re.IGNORECASE)


def to_binderhub(event: Event) -> dict[str, Any]:
    """One event as BinderHub's clients expect it."""
    match event:
        case LogLine():
            frame: dict[str, Any] = {"message": event.text + "\n"}
            if event.phase is not None:
                frame["phase"] = event.phase.value
            return frame
        case Gap():
            return {"message": event.message + "\n"}
        case PhaseChanged(phase=Phase.BUILT):
            return {
                "phase": "ready",
                "message": event.message + "\n",
                "imageName": event.image,
                "imageDigest": event.digest,
            }
        case PhaseChanged(phase=Phase.FAILED | Phase.CANCELLED):
            return {
                "phase": "failed",
                "message": event.message + "\n",
                "reason": event.reason.value if event.reason else None,
            }
        case PhaseChanged():
            return {"phase": event.phase.value, "message": event.message + "\n"}


def error_to_binderhub(error: ImageBuilderError) -> dict[str, Any]:
    """A refusal as the single event of a stream that is answered with 200."""
    frame: dict[str, Any] = {
        "phase": "failed",
        "status_code": error.status,
        "message": error.message + "\n",
        "reason": error.reason.value,
    }
    if error.retry_after is not None:
        frame["retry_after"] = math.ceil(error.retry_after)
    return frame


def spec_from_binderhub(provider: str, spec: str) -> str:
    """The spec in the provider's own form.

    tljh-repo2docker escapes whatever its user wrote for a repository, ``org%2Frepo`` too.
    """
    return _ESCAPED_PAIR.sub(r"\1/\2", spec) if provider in _TWO_NAMES else spec


def provider_to_binderhub(provider: Mapping[str, Any]) -> dict[str, Any]:
    """What BinderHub's pages are told of a provider, for their form.

    There is no expression that recognises pasted addresses: ``/api/resolve`` reads them.

    :param provider: as in ``GET /api/providers``.
    """
    refs, form = provider["refs"], provider["spec"]
    repo = form.rpartition("/")[0] if refs else form
    names = "/".join(["[^/]+"] * (repo.count("/") + 1))
    return {
        "id": provider["id"],
        "displayName": provider["name"],
        "spec": {"validateRegex": f"{names}/.+" if refs else ".+"},
        "repo": {
            "label": f"{provider['name']}: {repo}",
            "placeholder": repo,
            "urlEncode": "%2F" in repo or "percent-encoded" in repo,
        },
        "ref": {"enabled": refs, "default": "HEAD"} if refs else {"enabled": False},
    }


def versions_to_binderhub(versions: Mapping[str, Any]) -> dict[str, Any]:
    """The versions with the key by which BinderHub's clients know what answers them."""
    return {"binderhub": f"jupyterhub-imagebuilder {versions.get('imagebuilder')}", **versions}
