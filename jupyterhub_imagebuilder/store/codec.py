"""How builds and what was said of them are written down, in the database and in the spool.

Pages are zlib over JSON in ASCII, in which any text survives, unpaired surrogates and NUL included:
``{"source": …, "line": …, "events": […]}``.  An event is a string, which is the line behind the
one before it (the first one has the index ``line``), ``[index, text, phase]``, which is any other
line, ``{"gap": message}``, or ``{"phase": …, "message": …}`` with ``reason``, ``image`` and
``digest``.  Columns of text are for queries: what no database takes is its escape there.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.builds.events import Event, Gap, LogLine, PhaseChanged
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

_LEVEL = 6
_ENDLESS = 2**62


@dataclass(frozen=True, slots=True)
class Row:
    """A page as it is kept: all its lines have one source."""

    first: int
    count: int
    size: int  #: characters of text
    source: str | None
    line: int | None  #: index of the first line
    mark: str | None
    data: bytes


def rows(page: Page, limit: int) -> list[Row]:
    """Write a page down, in rows of one source and about ``limit`` characters each."""
    parts = list(_split(page.events, limit))
    made = []
    first = page.first
    for number, part in enumerate(parts, 1):
        mark = page.mark if number == len(parts) else None
        made.append(_row(first, part, mark))
        first += len(part)
    return made


def events(data: bytes) -> tuple[Event, ...]:
    """What a page's data says."""
    return read(json.loads(zlib.decompress(data)))


def read(content: Any) -> tuple[Event, ...]:
    """What the content of a page says."""
    source, index = content["source"], content["line"]
    found: list[Event] = []
    for item in content["events"]:
        if isinstance(item, str):
            found.append(LogLine(source, index, item))
            index += 1
        elif isinstance(item, list):
            index, text, phase = item
            found.append(LogLine(source, index, text, Phase(phase) if phase else None))
            index += 1
        elif "gap" in item:
            found.append(Gap(item["gap"]))
        else:
            found.append(
                PhaseChanged(
                    Phase(item["phase"]),
                    item["message"],
                    _reason(item.get("reason")),
                    item.get("image"),
                    item.get("digest"),
                )
            )
    return tuple(found)


def size(event: Event) -> int:
    """How many characters an event has, about: what pages are measured by."""
    return len(event.text if isinstance(event, LogLine) else event.message) + 1


def clean(text: str) -> str:
    """The text as any database takes it."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def columns(record: BuildRecord) -> dict[str, Any]:
    """The columns of a build, but for those that are about its pages."""
    request, image, spec = record.request, record.request.image, record.request.spec
    found = {
        "id": request.id,
        "author": record.author,
        "created": request.created,
        "finished": record.finished,
        "said": record.said,
        "is_over": record.phase.terminal,
        "phase": record.phase.value,
        "message": record.message,
        "reason": record.reason and record.reason.value,
        "digest": record.digest,
        "is_cached": record.cached,
        "uid": record.uid,
        "entered": json.dumps([[phase.value, when] for phase, when in record.entered]),
        "build_key": request.key,
        "name": request.name,
        "provider": spec.provider,
        "repository": spec.repository,
        "ref": spec.ref,
        "spec": spec.spec,
        "commit_id": request.resolved.commit,
        "image_registry": image.registry,
        "image_repository": image.repository,
        "image_tag": image.tag,
        "image_name": image.name,
        "owner_kind": request.owner.kind.value,
        "owner_name": request.owner.name,
        "owner_groups": json.dumps(sorted(request.owner.groups)),
        "owner_admin": request.owner.admin,
    }
    return {
        name: clean(value) if isinstance(value, str) else value for name, value in found.items()
    }


def record(row: Any, owners: Iterable[tuple[OwnerKind, str]]) -> BuildRecord:
    """A build from its columns (attributes of ``row``)."""
    spec = RepoSpec(row.provider, row.repository, row.ref, row.spec)
    first = Owner(
        row.owner_name,
        OwnerKind(row.owner_kind),
        frozenset(json.loads(row.owner_groups)),
        row.owner_admin,
    )
    return BuildRecord(
        request=BuildRequest(
            id=row.id,
            key=row.build_key,
            name=row.name,
            resolved=ResolvedRef(spec, row.commit_id),
            image=ImageName(row.image_registry, row.image_repository, row.image_tag),
            owner=first,
            created=row.created,
        ),
        author=row.author,
        phase=Phase(row.phase),
        message=row.message,
        owners=frozenset(owners),
        entered=tuple((Phase(phase), when) for phase, when in json.loads(row.entered)),
        uid=row.uid,
        reason=_reason(row.reason),
        digest=row.digest,
        cached=row.is_cached,
        finished=row.finished,
        said=row.said,
    )


def contents(found: tuple[Event, ...]) -> list[Any]:
    """What :func:`read` takes, for each source that the lines have."""
    return [_content(part) for part in _split(found, _ENDLESS)]


def _split(found: tuple[Event, ...], limit: int) -> Iterator[tuple[Event, ...]]:
    part: list[Event] = []
    source, held = None, 0
    for event in found:
        new = isinstance(event, LogLine) and source is not None and event.source != source
        length = size(event)
        if part and (new or held + length > limit):
            yield tuple(part)
            part, source, held = [], None, 0
        if isinstance(event, LogLine):
            source = event.source
        part.append(event)
        held += length
    if part:
        yield tuple(part)


def _row(first: int, found: tuple[Event, ...], mark: str | None) -> Row:
    content = _content(found)
    source = content["source"]
    return Row(
        first,
        len(found),
        sum(map(size, found)),
        None if source is None else clean(source),
        content["line"],
        None if mark is None else clean(mark),
        zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"), _LEVEL),
    )


def _content(found: tuple[Event, ...]) -> dict[str, Any]:
    source: str | None = None
    line = index = None
    items: list[Any] = []
    for event in found:
        if not isinstance(event, LogLine):
            items.append(_other(event))
            continue
        if line is None:
            source, line = event.source, event.index
            index = line
        if event.phase is None and event.index == index:
            items.append(event.text)
        else:
            items.append([event.index, event.text, event.phase and event.phase.value])
        index = event.index + 1
    return {"source": source, "line": line, "events": items}


def _other(event: Gap | PhaseChanged) -> dict[str, str]:
    if isinstance(event, Gap):
        return {"gap": event.message}
    item = {
        "phase": event.phase.value,
        "message": event.message,
        "reason": event.reason and event.reason.value,
        "image": event.image,
        "digest": event.digest,
    }
    return {name: value for name, value in item.items() if value is not None}


def reason_of(text: str | None) -> Reason:
    """A reason as a column has it."""
    try:
        return Reason(text or "")
    except ValueError:  # of a newer service, which had more of them
        return Reason.INTERNAL


def _reason(text: str | None) -> Reason | None:
    return None if text is None else reason_of(text)
