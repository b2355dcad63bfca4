"""Builds and logs to keep."""

from __future__ import annotations

import dataclasses
import time

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    OwnerKind,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import BuildRecord, Page
from jupyterhub_imagebuilder.errors import Reason

DIGEST = "sha256:" + "d" * 64
OLD, NEW = "001", "002"  # authors


def record(number=1, *, created=None, owners=("ann",), author=OLD, **changes):
    spec = RepoSpec("gh", "https://github.com/org/repo", "main", "org/repo/main")
    request = BuildRequest(
        id=f"build-{number}",
        key=f"{number:064x}",
        name=f"build-org-repo-{number}",
        resolved=ResolvedRef(spec, "c" * 40),
        image=ImageName("registry.example.org:5000", "team/org-repo", "t1"),
        owner=Owner(owners[0], groups=frozenset({"group-1", "group-2"}), admin=True),
        created=1_700_000_000.125 + number if created is None else created,
    )
    made = BuildRecord(
        request=request,
        author=author,
        phase=Phase.WAITING,
        message="Waiting for the build to start",
        owners=frozenset((OwnerKind.USER, name) for name in owners),
        entered=((Phase.WAITING, request.created),),
    )
    return dataclasses.replace(made, **changes)


def built(number=1, **changes):
    ended = {"phase": Phase.BUILT, "message": "The image is built", "digest": DIGEST}
    return record(number, **(ended | {"finished": 1_700_000_100.5, "uid": "u"} | changes))


def failed(number=1, **changes):
    ended = {"phase": Phase.FAILED, "message": "A step failed.", "reason": Reason.BUILD_FAILED}
    return record(number, **(ended | {"finished": 1_700_000_200.5} | changes))


def lines(start, stop, source="uid-1"):
    return tuple(LogLine(source, index, f"line {index}") for index in range(start, stop))


def page(first, stop, mark=None):
    """Events `first` to `stop`, which are the lines of these indexes."""
    return Page(first, lines(first, stop), mark)


async def read(store, build_id="build-1", number=0):
    """All events from `number` on, by their numbers."""
    found = {}
    while (part := await store.page(build_id, number)) is not None:
        assert part.events
        assert part.first >= number
        found |= dict(enumerate(part.events, part.first))
        number = part.end
    return found


async def ready(store):
    """Return when the writer has nothing left to do; the test's limit ends a vain wait."""
    writer = store._writer
    while writer._next_upkeep <= time.monotonic() or writer._prunes or writer._to_pack:
        await store.unfinished("000")  # an author who takes nothing
