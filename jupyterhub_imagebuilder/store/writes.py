"""What changes the tables.  Each function runs inside a transaction of its caller.

Rows of builds are locked before they are read, by PostgreSQL in the order of their ids, by SQLite
all at once: two processes on one database wait for each other, and neither overwrites the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from jupyterhub_imagebuilder.builds.record import BuildRecord, Kept
from jupyterhub_imagebuilder.store import codec, queries
from jupyterhub_imagebuilder.store.fold import Draft, Write
from jupyterhub_imagebuilder.store.queries import CHUNK
from jupyterhub_imagebuilder.store.tables import build, owner, page

#: Characters in a row: what is read, and decompressed, at once.
ROW_SIZE = 256 * 1024
_LOCKED = sa.select(build.c.id, build.c.author, build.c.is_over, build.c.next_event, build.c.mark)


def apply(connection: sa.Connection, writes: Sequence[Write]) -> None:
    """Carry out writes in their order."""
    drafts = _lock(connection, {codec.clean(write.build_id) for write in writes})
    new: dict[str, BuildRecord] = {}
    for write in writes:
        build_id = codec.clean(write.build_id)
        if isinstance(write.content, BuildRecord) and build_id not in drafts:
            new.setdefault(build_id, write.content)
    if new:
        _insert(connection, [new[build_id] for build_id in sorted(new)])
        drafts |= _lock(connection, new.keys())
    for write in writes:
        build_id = codec.clean(write.build_id)
        if isinstance(write.content, BuildRecord):
            new.pop(build_id, None)
        elif build_id in new:
            continue  # said of a build before it was saved
        if build_id in drafts:
            drafts[build_id].take(write)
    _store(connection, drafts)


def unfinished(connection: sa.Connection, author: str) -> list[Kept]:
    """Builds that are not over, which ``author`` takes from earlier ones; oldest first."""
    question = sa.select(build).where(build.c.is_over == sa.false()).order_by(build.c.id)
    rows = connection.execute(question.with_for_update()).all()
    connection.execute(
        build.update()
        .where(build.c.is_over == sa.false(), build.c.author < author)
        .values(author=author)
    )
    again = sa.select(build).where(build.c.id.in_(sa.bindparam("ids", expanding=True)))
    taken: list[Any] = []
    for ids in _chunks([row.id for row in rows]):
        taken += connection.execute(again, {"ids": ids}).all()
    taken.sort(key=lambda row: (row.created, row.id))
    return queries.kept(connection, taken)


def forget(connection: sa.Connection, build_id: str) -> None:
    """Remove a build that is over."""
    over = sa.select(build.c.id).where(build.c.id == codec.clean(build_id), build.c.is_over)
    remove(connection, list(connection.execute(over.with_for_update()).scalars()))


def remove(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Remove builds, whose rows are locked, with their owners and pages."""
    connection.execute(page.delete().where(page.c.build_id.in_(ids)))
    connection.execute(owner.delete().where(owner.c.build_id.in_(ids)))
    connection.execute(build.delete().where(build.c.id.in_(ids)))


def publish(connection: sa.Connection, build_id: str, *, published: bool) -> None:
    """Put a build into everybody's list, or take it out."""
    chosen = build.update().where(build.c.id == codec.clean(build_id))
    connection.execute(chosen.values(is_published=published))


def weigh(connection: sa.Connection, build_id: str, size: int) -> None:
    """Keep the size of a build's image."""
    chosen = build.update().where(build.c.id == codec.clean(build_id))
    connection.execute(chosen.values(image_size=size))


def _lock(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Draft]:
    drafts = {}
    for chunk in _chunks(sorted(ids)):
        question = _LOCKED.where(build.c.id.in_(chunk)).order_by(build.c.id).with_for_update()
        for row in connection.execute(question):
            drafts[row.id] = Draft(row.author, row.is_over, row.next_event, row.mark)
    return drafts


def _insert(connection: sa.Connection, records: Sequence[BuildRecord]) -> None:
    """Make the rows of new builds; their owners come with the first fold."""
    rows = [
        codec.columns(record) | {"next_event": 0, "mark": None, "is_packed": False}
        for record in records
    ]
    connection.execute(_insert_new(connection, build), rows)


def _store(connection: sa.Connection, drafts: dict[str, Draft]) -> None:
    dropped = [build_id for build_id, draft in drafts.items() if draft.dropped]
    for chunk in _chunks(dropped):
        connection.execute(page.delete().where(page.c.build_id.in_(chunk)))
    said = [
        codec.columns(draft.record) | {"which": build_id}
        for build_id, draft in drafts.items()
        if draft.record is not None
    ]
    if said:
        connection.execute(
            build.update().where(build.c.id == sa.bindparam("which")),
            [{name: value for name, value in row.items() if name != "id"} for row in said],
        )
    _add_owners(
        connection,
        [(build_id, *who) for build_id, draft in drafts.items() for who in draft.owners],
    )
    _add_pages(connection, drafts)


def _add_pages(connection: sa.Connection, drafts: dict[str, Draft]) -> None:
    ends: list[dict[str, Any]] = [
        {"which": build_id, "behind": draft.end, "place": draft.mark}
        for build_id, draft in drafts.items()
        if draft.runs or draft.dropped
    ]
    if not ends:
        return
    connection.execute(
        build.update()
        .where(build.c.id == sa.bindparam("which"))
        .values(
            next_event=sa.bindparam("behind"), mark=sa.bindparam("place"), is_packed=sa.false()
        ),
        [{**end, "place": end["place"] and codec.clean(end["place"])} for end in ends],
    )
    rows = [
        page_columns(build_id, row)
        for build_id, draft in drafts.items()
        for run in draft.runs
        for row in codec.rows(run.page(), ROW_SIZE)
    ]
    if rows:
        connection.execute(page.insert(), rows)


def page_columns(build_id: str, row: codec.Row) -> dict[str, Any]:
    """The columns of a page."""
    return {
        "build_id": build_id,
        "first": row.first,
        "events": row.count,
        "size": row.size,
        "source": row.source,
        "line": row.line,
        "mark": row.mark,
        "data": row.data,
    }


def _add_owners(connection: sa.Connection, owners: Sequence[tuple[str, Any, str]]) -> None:
    if owners:
        rows = sorted(
            {(build_id, kind.value, codec.clean(name)) for build_id, kind, name in owners}
        )
        connection.execute(
            _insert_new(connection, owner),
            [{"build_id": one, "kind": kind, "name": name} for one, kind, name in rows],
        )


def _insert_new(connection: sa.Connection, table: sa.Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
