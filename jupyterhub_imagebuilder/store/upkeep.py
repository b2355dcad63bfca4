"""What the writer does when nothing waits: logs of builds that are over become few rows, old go.

Each step is a short transaction of its own, so that it delays nobody.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.events import Event
from jupyterhub_imagebuilder.builds.record import Page
from jupyterhub_imagebuilder.store import codec
from jupyterhub_imagebuilder.store.tables import build, page
from jupyterhub_imagebuilder.store.writes import ROW_SIZE, page_columns, remove

#: Builds that are removed in one transaction, and rows that are packed.
_PRUNED = 50
_ROWS = 2000


def pack(connection: sa.Connection, build_id: str, start: int) -> int | None:
    """Make a few large rows of many small ones.

    :param start: number of the event to begin at.
    :returns: where to go on; None where there is no more to do.
    """
    over = sa.select(build.c.id).where(build.c.id == build_id, build.c.is_over)
    if connection.execute(over.with_for_update()).first() is None:
        return None
    sizes = connection.execute(
        sa.select(page.c.first, page.c.events, page.c.size)
        .where(page.c.build_id == build_id, page.c.first >= start)
        .order_by(page.c.first)
        .limit(_ROWS)
    ).all()
    group = _first_group(sizes)
    if len(group) > 1:
        _merge(connection, build_id, group[0].first, group[-1].first)
    elif not group:
        connection.execute(build.update().where(build.c.id == build_id).values(is_packed=True))
        return None
    end: int = group[-1].first + group[-1].events
    return end


def unpacked(connection: sa.Connection) -> list[str]:
    """Builds that are over and whose pages are as they came."""
    found = connection.execute(
        sa.select(build.c.id).where(build.c.is_over, build.c.is_packed == sa.false())
    )
    return list(found.scalars())


def prune(connection: sa.Connection, before: float | None, builds: int) -> bool:
    """Remove a few builds that are over; whether there may be more.  What is published stays.

    :param before: seconds since the epoch; those that ended earlier go.  None: none does.
    :param builds: how many of the newest stay; 0 means all.
    """
    over = sa.select(build.c.id).where(build.c.is_over, build.c.is_published == sa.false())
    ids: list[str] = []
    if before is not None:
        ended = sa.func.coalesce(build.c.finished, build.c.created)
        ids += connection.execute(over.where(ended < before).limit(_PRUNED)).scalars()
    if builds and not ids:
        oldest = connection.execute(
            sa.select(build.c.created).order_by(build.c.created.desc()).offset(builds - 1).limit(1)
        ).scalar()
        if oldest is not None:
            ids += connection.execute(over.where(build.c.created < oldest).limit(_PRUNED)).scalars()
    if not ids:
        return False
    locked = connection.execute(
        sa.select(build.c.id).where(build.c.id.in_(ids)).order_by(build.c.id).with_for_update()
    )
    remove(connection, list(locked.scalars()))
    return True


def _first_group(sizes: Any) -> list[Any]:
    """The first rows that fit into one, without a hole between them; or the first row alone."""
    group: list[Any] = []
    held = 0
    for row in sizes:
        held += row.size
        if group and (held > ROW_SIZE or row.first != group[-1].first + group[-1].events):
            break
        group.append(row)
    return group


def _merge(connection: sa.Connection, build_id: str, first: int, last: int) -> None:
    chosen = (page.c.build_id == build_id, page.c.first >= first, page.c.first <= last)
    rows = connection.execute(sa.select(page).where(*chosen).order_by(page.c.first)).all()
    found: list[Event] = []
    for row in rows:
        found += codec.events(row.data)
    connection.execute(page.delete().where(*chosen))
    merged = codec.rows(Page(first, tuple(found), rows[-1].mark), ROW_SIZE)
    connection.execute(page.insert(), [page_columns(build_id, row) for row in merged])
