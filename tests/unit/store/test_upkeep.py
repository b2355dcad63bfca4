from __future__ import annotations

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.record import Page
from jupyterhub_imagebuilder.store import upkeep, writes
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.tables import build, owner, page
from tests.contract.store.samples import built, record
from tests.contract.store.samples import page as lines_page

from .test_writes import said


def keep(database, *batch):
    database.write(lambda c: writes.apply(c, batch))


def pack(database, build_id="build-1"):
    """Pack to the end; how many steps it took."""
    start, steps = 0, 0
    while start is not None:
        start = database.write(lambda c, start=start: upkeep.pack(c, build_id, start))
        steps += 1
    return steps


def sizes(database):
    return database.read(
        lambda c: c.execute(sa.select(page.c.first, page.c.size).order_by(page.c.first)).all()
    )


def append(first, text="", source="uid-1"):
    return Write("build-1", "001", Page(first, (LogLine(source, first, text),), f"mark-{first}"))


def test_many_small_rows_become_few_large_ones(database, monkeypatch):
    monkeypatch.setattr(upkeep, "ROW_SIZE", 1000)
    keep(database, Write.save(record()))
    for first in range(60):
        keep(database, append(first, "x" * 49))
    before = said(database, "build-1")
    assert len(sizes(database)) == 60
    keep(database, Write.save(built()))
    assert database.read(upkeep.unpacked) == ["build-1"]
    assert pack(database) == 4
    assert [size for _, size in sizes(database)] == [1000, 1000, 1000]
    assert said(database, "build-1") == before
    assert database.read(upkeep.unpacked) == []
    marks = database.read(lambda c: c.execute(sa.select(page.c.mark)).scalars().all())
    assert sorted(marks) == ["mark-19", "mark-39", "mark-59"]


def test_holes_and_sources_stay_apart(database):
    keep(database, Write.save(record()))
    for write in (
        append(0),
        append(1),
        append(5),
        append(6, source="uid-2"),
        append(7, "", "uid-2"),
    ):
        keep(database, write)
    keep(database, Write.save(built()))
    before = said(database, "build-1")
    pack(database)
    assert [first for first, _ in sizes(database)] == [0, 5, 6]
    assert said(database, "build-1") == before


def test_a_build_that_goes_on_is_not_packed(database):
    keep(database, Write.save(record()))
    keep(database, append(0))
    keep(database, append(1))
    pack(database)
    assert len(sizes(database)) == 2
    assert database.read(upkeep.unpacked) == []


def test_what_comes_late_is_packed_again(database):
    keep(database, Write.save(built()), append(0))
    pack(database)
    keep(database, append(1))
    assert database.read(upkeep.unpacked) == ["build-1"]
    pack(database)
    assert len(sizes(database)) == 1


def kept_ids(database):
    question = sa.select(build.c.id).order_by(build.c.created)
    return database.read(lambda c: c.execute(question).scalars().all())


def run_prune(database, before=None, builds=0):
    while database.write(lambda c: upkeep.prune(c, before, builds)):
        pass
    return kept_ids(database)


def test_old_builds_go_with_all_that_is_theirs(database):
    for number in (1, 2):
        state = built(number, finished=1000.0 * number)
        keep(database, Write.save(state), Write(f"build-{number}", "001", lines_page(0, 3)))
    assert run_prune(database, before=1000.0) == ["build-1", "build-2"]
    assert run_prune(database, before=1500.0) == ["build-2"]
    for table in (page, owner):
        ids = database.read(lambda c, t=table: c.execute(sa.select(t.c.build_id)).scalars().all())
        assert set(ids) == {"build-2"}


def test_of_many_builds_the_newest_stay(database):
    keep(database, *(Write.save(built(number)) for number in range(120)))
    assert run_prune(database, builds=2) == ["build-118", "build-119"]
    assert run_prune(database, builds=0) == ["build-118", "build-119"]


def test_a_build_that_is_not_over_stays_however_old(database):
    keep(database, Write.save(record(1)), *(Write.save(built(n)) for n in range(2, 9)))
    assert run_prune(database, before=1e12, builds=1) == ["build-1"]


def test_what_is_published_stays(database):
    for number in (1, 2, 3):
        keep(database, Write.save(built(number)))
    database.write(lambda c: writes.publish(c, "build-1", published=True))
    while database.write(lambda c: upkeep.prune(c, 2e9, 1)):
        pass
    left = database.read(lambda c: c.execute(sa.select(build.c.id)).scalars().all())
    assert left == ["build-1"]
