"""What is asked of the tables.  Each function runs inside a transaction of its caller."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.events import Event, LogLine
from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind, RepoSpec
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Kept, Page, Wanted
from jupyterhub_imagebuilder.store import codec
from jupyterhub_imagebuilder.store.tables import LONGEST_KEY, build, owner, page

#: Ids in one question: SQLite takes 32,766 parameters, older ones 999.
CHUNK = 500
#: Rows and characters of one answer with pages, about.
_PAGE_ROWS = 8
_PAGE_SIZE = 512 * 1024
_MADE = 100
_LARGEST = 2**31 - 1  # of a column; what viewers ask for can be larger


def get(connection: sa.Connection, build_id: str) -> Kept | None:
    """One build."""
    rows = connection.execute(sa.select(build).where(build.c.id == codec.clean(build_id))).all()
    return next(iter(kept(connection, rows)), None)


def newest(
    connection: sa.Connection, limit: int, asked_by: Owner | None, before: float | None
) -> list[Kept]:
    """The newest builds."""
    question = sa.select(build).order_by(build.c.created.desc(), build.c.id.desc()).limit(limit)
    if before is not None:
        question = question.where(build.c.created < before)
    if asked_by is None:
        return kept(connection, connection.execute(question).all())
    # two questions that have an index each, not one with "or", which has none
    own = question.join(owner, owner.c.build_id == build.c.id).where(*_is(asked_by))
    published = question.where(build.c.is_published)
    found = {row.id: row for each in (own, published) for row in connection.execute(each)}
    rows = sorted(found.values(), key=lambda row: (row.created, row.id), reverse=True)
    return kept(connection, rows[:limit])


def wanted(connection: sa.Connection, asked_by: Owner, limit: int) -> list[Wanted]:
    """Repositories and refs that somebody asked for, newest first."""
    what = (build.c.provider, build.c.repository, build.c.ref)
    when = sa.func.max(build.c.created)
    question = (
        sa.select(*what, sa.func.max(build.c.spec).label("spec"), when.label("asked"))
        .join(owner, owner.c.build_id == build.c.id)
        .where(*_is(asked_by))
        .group_by(*what)
        .order_by(when.desc())
        .limit(limit)
    )
    return [
        Wanted(RepoSpec(row.provider, row.repository, row.ref, row.spec), row.asked)
        for row in connection.execute(question)
    ]


def familiar(connection: sa.Connection, repository: str, asked_by: Owner) -> bool:
    """Whether somebody has an image of a repository, or everybody has."""
    asked = sa.exists().where(owner.c.build_id == build.c.id, *_is(asked_by))
    question = (
        sa.select(build.c.id)
        .where(
            _of(repository),
            build.c.phase == Phase.BUILT.value,
            build.c.is_published | asked,
        )
        .limit(1)
    )
    return connection.execute(question).first() is not None


def made(connection: sa.Connection, image: str, digest: str) -> list[Kept]:
    """The newest builds that ended with an image."""
    question = (
        sa.select(build)
        .where(build.c.image_name == codec.clean(image), build.c.digest == codec.clean(digest))
        .order_by(build.c.is_published.desc(), build.c.created.desc())
        .limit(_MADE)
    )
    return kept(connection, connection.execute(question).all())


def built(connection: sa.Connection, repository: str, limit: int) -> list[Kept]:
    """The newest builds of a repository that made an image."""
    return kept(connection, connection.execute(newest_of(repository, limit)).all())


def newest_of(repository: str, limit: int) -> sa.Select[Any]:
    """The question of :func:`built`."""
    return (
        sa.select(build)
        .where(
            _of(repository),
            build.c.phase == Phase.BUILT.value,
            build.c.is_cached == sa.false(),
        )
        .order_by(build.c.created.desc(), build.c.id.desc())
        .limit(limit)
    )


def _of(repository: str) -> sa.ColumnElement[bool]:
    """Whether a build is one of a repository; answered from an index where that has it."""
    repository = codec.clean(repository)
    found = build.c.repository == repository
    if len(repository) > LONGEST_KEY:
        return found
    # word for word what the index is for, or it is not used
    return found & (sa.func.length(build.c.repository) <= sa.literal_column(str(LONGEST_KEY)))


def kept(connection: sa.Connection, rows: Any) -> list[Kept]:
    """Builds from their rows, in that order."""
    owners: dict[str, set[tuple[OwnerKind, str]]] = defaultdict(set)
    ids = [row.id for row in rows]
    for start in range(0, len(ids), CHUNK):
        question = sa.select(owner).where(owner.c.build_id.in_(ids[start : start + CHUNK]))
        for row in connection.execute(question):
            owners[row.build_id].add((OwnerKind(row.kind), row.name))
    return [
        Kept(
            codec.record(row, owners[row.id]),
            row.next_event,
            row.mark,
            row.is_published,
            row.image_size,
        )
        for row in rows
    ]


def read_page(connection: sa.Connection, build_id: str, number: int) -> list[Any]:
    """The rows with event ``number`` and some behind it; see :func:`join_page`."""
    build_id, number = codec.clean(build_id), min(number, _LARGEST)
    start = (
        sa.select(sa.func.max(page.c.first))
        .where(page.c.build_id == build_id, page.c.first <= number)
        .scalar_subquery()
    )
    question = (
        sa.select(page)
        .where(page.c.build_id == build_id, page.c.first >= sa.func.coalesce(start, number))
        .order_by(page.c.first)
        .limit(_PAGE_ROWS)
    )
    return list(connection.execute(question))


def join_page(rows: list[Any], number: int) -> Page | None:
    """One page out of rows, from event ``number`` on."""
    found: list[Event] = []
    first, mark, held = number, None, 0
    for row in rows:
        if row.first + row.events <= number:
            continue
        if found and (row.first != first + len(found) or held + row.size > _PAGE_SIZE):
            break
        skip = max(number - row.first, 0)
        if not found:
            first = row.first + skip
        found += codec.events(row.data)[skip if not found else 0 :]
        mark = row.mark
        held += row.size
    return Page(first, tuple(found), mark) if found else None


def seek_row(connection: sa.Connection, build_id: str, source: str, index: int) -> Any:
    """The last row of the source that begins at line ``index`` or before; None without one."""
    question = (
        sa.select(page.c.first, page.c.data)
        .where(
            page.c.build_id == codec.clean(build_id),
            page.c.source == codec.clean(source),
            page.c.line <= min(index, _LARGEST),
        )
        .order_by(page.c.first.desc())
        .limit(1)
    )
    return connection.execute(question).first()


def seek_event(row: Any, source: str, index: int) -> int | None:
    """The number of the last line up to ``index`` in a row."""
    best = None
    for number, event in enumerate(codec.events(row.data), row.first):
        if isinstance(event, LogLine) and event.source == source and event.index <= index:
            best = number
    return best


def _is(who: Owner) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return owner.c.kind == who.kind.value, owner.c.name == codec.clean(who.name)
