"""The store as a whole, on a file of SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import zlib

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import inbox, schema, writer, writes
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.spool import Spool
from jupyterhub_imagebuilder.store.sql import SqlStore
from tests.contract.store.samples import NEW, built, lines, page, read, ready, record
from tests.fakes.clock import InstantClock


@pytest.fixture
async def make(tmp_path, monkeypatch):
    monkeypatch.setattr(inbox, "PACE", 0.01)
    made = []

    async def make(**options):
        options = {"keep_days": 0, "spool_dir": tmp_path / "spool"} | options
        url = f"sqlite:///{tmp_path}/builds.sqlite"
        store = SqlStore(url, clock=InstantClock(), **options)
        made.append(store)
        await store.start()
        return store

    yield make
    for store in made:
        await store.close()


async def test_it_begins_and_ends_at_once(make):
    begun = time.monotonic()
    store = await make()
    assert time.monotonic() - begun < 0.2
    await store.save(record())
    begun = time.monotonic()
    await store.close()
    assert time.monotonic() - begun < 0.5


def test_an_address_with_a_password_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="database_password_file"):
        SqlStore("postgresql://u:p@db/hub", spool_dir=tmp_path, clock=InstantClock())


async def test_what_nobody_waited_for_is_there_after_the_end(make):
    store = await make()
    store.save(record())
    store.append(record(), page(0, 3))
    await store.close()
    store = await make()
    assert await store.unfinished(NEW) != []
    assert await read(store) == dict(enumerate(lines(0, 3)))


async def test_many_writes_are_few_transactions(make, monkeypatch):
    monkeypatch.setattr(inbox, "PACE", 0.1)
    store = await make()
    await store.save(record())
    await ready(store)
    commits = []
    event.listen(store._database._engine, "commit", commits.append)
    begun = time.monotonic()
    waiting = [store.append(record(), page(first, first + 1)) for first in range(1000)]
    await asyncio.gather(*waiting)
    assert len(commits) <= 2 + (time.monotonic() - begun) / 0.1
    assert (await store.get("build-1")).end == 1000


async def test_a_write_that_the_database_refuses_holds_up_no_other(make, monkeypatch, caplog):
    real = writes.apply

    def picky(connection, wanted):
        if any(write.build_id == "build-2" for write in wanted):
            raise sa.exc.DataError("INSERT", {}, Exception("no"))
        real(connection, wanted)

    monkeypatch.setattr(writes, "apply", picky)
    store = await make()
    await store.save(record(1))
    waiting = [store.save(record(number)) for number in (1, 2, 3, 4)]
    await asyncio.gather(*waiting)
    await store.check()
    assert [kept.record.request.id for kept in await store.newest(9)] == [
        "build-4",
        "build-3",
        "build-1",
    ]
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "the database refuses something about build build-2"
    ]


async def test_trouble_is_logged_once(make, tmp_path, caplog):
    (tmp_path / "builds.sqlite").write_bytes(b"no database" * 100)
    store = await make()
    for number in range(5):
        await store.save(record(number))
        with pytest.raises(StoreUnavailable, match="damaged"):
            await store.check()
    assert [r.levelname for r in caplog.records].count("WARNING") == 1


async def test_what_an_earlier_process_left_comes_first(make, tmp_path):
    spool = Spool(tmp_path / "spool", 10**6)
    spool.add([Write.save(record()), Write("build-1", "001", page(0, 3, "mark"))])
    spool.close()
    store = await make()
    await store.append(record(), page(3, 5))
    assert await read(store) == dict(enumerate(lines(0, 5)))
    assert list((tmp_path / "spool").iterdir()) == []


async def test_the_end_does_not_wait_for_a_file_that_is_locked(make, tmp_path, monkeypatch):
    store = await make()
    await store.save(record())
    other = sqlite3.connect(tmp_path / "builds.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("jupyterhub_imagebuilder.store.sql._END_PATIENCE", 0.1)
    waiting = store.append(record(), page(0, 3))
    begun = time.monotonic()
    await store.close()
    assert time.monotonic() - begun < 1
    assert await waiting is None
    other.execute("ROLLBACK")
    other.close()
    await asyncio.to_thread(store._writer._thread.join, 10)
    store = await make()
    assert [kept.end for kept in await store.unfinished(NEW)] == [3]


async def test_old_builds_are_removed_at_the_start(make):
    store = await make()
    for number, age in ((1, 11), (2, 9)):
        finished = InstantClock().now() - age * 86400
        await store.save(built(number, finished=finished, created=finished))
    await store.close()
    store = await make(keep_days=10)
    await ready(store)
    assert [kept.record.request.id for kept in await store.newest(9)] == ["build-2"]


async def test_the_log_of_a_build_that_is_over_becomes_few_rows(make):
    store = await make()
    await store.save(record())
    for first in range(0, 20, 2):
        await store.append(record(), page(first, first + 2))
    await store.save(built())
    await ready(store)
    count = store._database.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM imagebuilder_page").scalar()
    )
    assert count == 1
    assert await read(store) == dict(enumerate(lines(0, 20)))


async def test_a_page_that_is_damaged_is_a_sentence(make):
    store = await make()
    await store.save(record())
    await store.append(record(), page(0, 3))
    for data in (b"damaged", zlib.compress(b'{"events": 5}')):
        store._database.write(
            lambda c, data=data: c.exec_driver_sql("UPDATE imagebuilder_page SET data=?", (data,))
        )
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await store.page("build-1", 0)


async def test_tables_that_are_gone_are_said_and_made_again(make):
    store = await make()
    await store.save(record())

    def lose(connection):
        for name in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {name}")

    store._database.write(lose)
    with pytest.raises(StoreUnavailable):
        await store.check()
    await store.save(record(2))
    assert [kept.record.request.id for kept in await store.unfinished(NEW)] == ["build-2"]
    await store.check()


async def test_tables_that_cannot_be_made_are_said(make, monkeypatch):
    def fail(connection):
        raise RuntimeError

    monkeypatch.setattr(schema, "upgrade", fail)
    store = await make()
    await store.save(record())
    with pytest.raises(StoreUnavailable, match="brought up to date"):
        await store.check()


def test_the_pauses_grow_to_half_a_minute(make, tmp_path):
    keeping = writer.Keeping(tmp_path, 0, 0, 0)
    one = writer.Writer(None, keeping, InstantClock())
    pauses = []
    for _ in range(12):
        one._suffer(StoreUnavailable("No."))
        pauses.append(one._next_try - time.monotonic())
    assert pauses[0] <= 0.5
    assert all(10 < pause <= 30 for pause in pauses[-3:])
