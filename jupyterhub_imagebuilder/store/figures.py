"""What is kept, in numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Disk, Failures, Figures
from jupyterhub_imagebuilder.store import codec
from jupyterhub_imagebuilder.store.tables import build


def figures(connection: sa.Connection, since: float) -> Figures:
    """Count; the disk is not among it."""
    images = (
        sa.select(sa.func.max(build.c.image_size).label("size"))
        .where(build.c.phase == Phase.BUILT.value, build.c.digest.is_not(None))
        .group_by(build.c.image_name, build.c.digest)
        .subquery()
    )
    total = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(images.c.size), 0))
    number, size = connection.execute(total.select_from(images)).one()
    # PostgreSQL sums large integers up to a decimal
    return Figures(_failures(connection, since), number, int(size))


def disk_of(path: Path | None) -> Disk | None:
    """The file system of a file; None where there is none, or it does not say."""
    if path is None:
        return None
    try:
        usage = shutil.disk_usage(path.parent)
    except OSError:
        return None
    return Disk(usage.used, usage.total)


def _failures(connection: sa.Connection, since: float) -> tuple[Failures, ...]:
    count, last = sa.func.count(), sa.func.max(build.c.finished)
    question = (
        sa.select(build.c.reason, count.label("number"), last.label("last"))
        .where(build.c.finished >= since, build.c.phase == Phase.FAILED.value)
        .group_by(build.c.reason)
        .order_by(count.desc(), build.c.reason)
    )
    return tuple(
        Failures(codec.reason_of(row.reason), row.number, row.last)
        for row in connection.execute(question)
    )
