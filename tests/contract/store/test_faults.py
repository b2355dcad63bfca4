"""What goes wrong beneath a store: it says so, and nothing that it acknowledged is lost."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import database

from .samples import NEW, built, lines, page, read, ready, record


async def eventually(probe, seconds=20.0):
    """What the probe returns, once it does not raise."""
    limit = time.monotonic() + seconds
    while True:
        try:
            return await probe()
        except StoreUnavailable:
            assert time.monotonic() < limit, "still unavailable"
            await asyncio.sleep(0.05)


@pytest.fixture
def server(postgresql):
    """The server, which runs again afterwards."""
    yield postgresql
    if postgresql._process.poll() is not None:
        postgresql.start()


@pytest.fixture
async def pg(server, new_database, tmp_path):
    from .conftest import Place

    place = Place(server.url(new_database()), server.password_file, tmp_path)
    yield place
    await place.close()


@pytest.fixture
async def lite(tmp_path):
    from .conftest import Place

    place = Place(f"sqlite:///{tmp_path}/builds.sqlite", "", tmp_path)
    place.path = tmp_path / "builds.sqlite"
    yield place
    await place.close()


async def test_what_was_acknowledged_outlives_a_sigkill(place):
    arguments = [place.url, str(place.password_file), str(place.spool_dir)]
    module = f"{__package__}.writing_process"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    for _ in range(5):
        acknowledged = int(await asyncio.wait_for(process.stdout.readline(), 30))
    process.kill()
    rest = await process.stdout.read()
    acknowledged = int(rest.split(b"\n")[-2]) if b"\n" in rest else acknowledged
    await process.wait()
    store = await place.open()
    found = {kept.record.request.id: kept for kept in await store.unfinished(NEW)}
    assert found["build-1"].end >= acknowledged >= 500
    assert found.keys() >= {f"build-{first + 2}" for first in range(0, acknowledged, 100)}
    said = await read(store)
    assert said == dict(enumerate(lines(0, found["build-1"].end)))


async def test_two_processes_write_at_once(place):
    one, two = await place.open(), await place.open()
    for number in range(20):
        names = ((one, "ann", "001"), (two, "ben", "002"))
        for store, name, author in names:
            store.save(record(number, owners=(name,), author=author))
            store.append(record(number, author=author), page(0, 7))
    await asyncio.gather(
        one.save(built(0, owners=("cid",))), two.save(built(0, author=NEW, owners=("dan",)))
    )
    kept = await one.newest(99)
    assert len(kept) == 20
    for build in kept:
        assert {name for _, name in build.record.owners} >= {"ann", "ben"}
        assert build.end in (0, 7)
        said = await read(two, build.record.request.id)
        assert len(said) == build.end
    assert {build.record.author for build in kept[:-1]} == {NEW}
    assert await one.check() is None


# -- A database that goes away -------------------------------------------------------------------


async def test_nothing_is_lost_while_the_server_is_started_again(server, pg):
    store = await pg.open()
    await store.save(record())
    await store.append(record(), page(0, 3))
    await store.check()
    server.stop()
    await store.append(record(), page(3, 6))
    await store.save(record(2))
    await store.append(record(), page(6, 9, "mark"))
    for question in (store.check(), store.get("build-1"), store.page("build-1", 0)):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await question
    with pytest.raises(StoreUnavailable):
        await store.unfinished(NEW)
    server.start()
    await eventually(store.check)
    assert await read(store) == dict(enumerate(lines(0, 9)))
    assert (await store.get("build-1")).mark == "mark"
    assert (await store.get("build-2")).record == record(2)
    assert list(pg.spool_dir.iterdir()) == []


async def test_a_short_restart_of_the_server_is_not_even_noticed(server, pg):
    store = await pg.open()
    await store.save(record())
    await ready(store)
    server.stop()
    server.start()
    await store.save(record(2))
    assert (await store.get("build-2")).record == record(2)
    assert not pg.spool_dir.exists()


async def test_what_waited_on_disk_comes_first_in_the_next_process(server, pg):
    store = await pg.open()
    await store.save(record())
    server.stop()
    await store.append(record(), page(0, 5))
    await store.save(record(2))
    await pg.close()
    assert len(list(pg.spool_dir.iterdir())) == 1
    server.start()
    store = await pg.open()
    found = await store.unfinished(NEW)
    assert [(kept.record.request.id, kept.end) for kept in found] == [
        ("build-1", 5),
        ("build-2", 0),
    ]


async def test_a_server_that_is_silent_holds_up_nobody_for_long(server, pg, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 1.0)
    monkeypatch.setitem(database._LIBPQ, "connect_timeout", 2)  # libpq waits no less
    store = await pg.open()
    await store.save(record())
    await store.check()
    server.signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        await store.append(record(), page(0, 3))
        with pytest.raises(StoreUnavailable):
            await store.check()
        assert time.monotonic() - begun < 10
        begun = time.monotonic()
        await store.append(record(), page(3, 6))  # while it is known to be away
        assert time.monotonic() - begun < 5
    finally:
        server.signal(signal.SIGCONT)
    await eventually(store.check)
    assert await read(store) == dict(enumerate(lines(0, 6)))


async def test_the_end_does_not_wait_for_a_silent_server(server, pg):
    store = await pg.open()
    await store.save(record())
    server.signal(signal.SIGSTOP)
    try:
        waiting = store.append(record(), page(0, 3))
        begun = time.monotonic()
        await store.close()
        assert time.monotonic() - begun < 3
        del waiting
    finally:
        server.signal(signal.SIGCONT)
    again = await pg.open()
    await eventually(lambda: again.unfinished(NEW))
    assert await read(again) == dict(enumerate(lines(0, 3)))


async def test_a_wrong_password_is_said_and_not_shown(server, pg, tmp_path, caplog):
    (tmp_path / "wrong").write_text("not-the-password")
    pg.password_file = tmp_path / "wrong"
    store = await pg.open()
    await store.save(record())
    with pytest.raises(StoreUnavailable, match="refuses the user or the password"):
        await store.check()
    assert "not-the-password" not in caplog.text
    (tmp_path / "wrong").write_text(server.password_file.read_text())
    await eventually(store.check)
    assert (await store.get("build-1")).record == record()


async def test_a_database_that_is_not_there_is_said(server, pg):
    pg.url = server.url("absent")
    store = await pg.open()
    with pytest.raises(StoreUnavailable, match="does not exist"):
        await store.check()


# -- A disk that is full, a file that is damaged -------------------------------------------------


async def test_a_full_disk_is_bridged_by_the_spool(lite):
    limit = 60

    def small(connection, _):
        connection.execute(f"PRAGMA max_page_count={limit}").close()

    event.listen(sa.Engine, "connect", small)
    try:
        store = await lite.open()
        await store.save(record())
        for first in range(0, 400, 4):
            text = [random_text(index) for index in range(first, first + 4)]
            await store.append(record(), noise(first, text))
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.check()
        assert list(lite.spool_dir.iterdir()) != []
        assert (await store.get("build-1")).end < 400
        limit = 100_000
        store._database._engine.dispose()
        await eventually(store.check)
        assert list(lite.spool_dir.iterdir()) == []
        assert list(await read(store)) == list(range(400))
    finally:
        event.remove(sa.Engine, "connect", small)


def random_text(seed):
    import random

    return random.Random(seed).randbytes(1000).hex()


def noise(first, texts):
    from jupyterhub_imagebuilder.builds.events import LogLine
    from jupyterhub_imagebuilder.builds.record import Page

    events = (LogLine("uid-1", index, text) for index, text in enumerate(texts, first))
    return Page(first, tuple(events))


@pytest.mark.parametrize(
    "damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 8176]
)
async def test_a_damaged_file_is_said_and_not_touched(lite, damage):
    lite.path.write_bytes(damage)
    store = await lite.open()
    await store.save(record())
    await store.append(record(), page(0, 3))
    with pytest.raises(StoreUnavailable, match="damaged"):
        await store.check()
    with pytest.raises(StoreUnavailable):
        await store.unfinished(NEW)
    await lite.close()
    assert lite.path.read_bytes() == damage
    lite.path.unlink()  # as an admin would
    store = await lite.open()
    await eventually(store.check)
    assert (await store.get("build-1")).end == 3


async def test_a_file_that_another_program_holds_is_waited_for(lite, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    store = await lite.open()
    await store.save(record())
    other = sqlite3.connect(lite.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    await store.save(record(2))
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.check()
    other.execute("ROLLBACK")
    other.close()
    await eventually(store.check)
    assert (await store.get("build-2")).record == record(2)


async def test_the_tables_of_a_newer_service_are_left_alone(place):
    store = await place.open()
    await store.save(record())
    store._database.write(
        lambda c: c.exec_driver_sql("UPDATE imagebuilder_alembic_version SET version_num='9999'")
    )
    await place.close()
    store = await place.open()
    await store.save(record(2))
    for question in (store.check(), store.get("build-1")):
        with pytest.raises(StoreUnavailable, match="newer version"):
            await question
    count = store._database.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM imagebuilder_build").scalar()
    )
    assert count == 1


# -- No room -------------------------------------------------------------------------------------


async def test_without_room_logs_have_holes_and_states_survive(server, pg):
    store = await pg.open(spool_limit=20_000)
    await store.save(record())
    await store.append(record(), page(0, 2))
    server.stop()
    for first in range(2, 102, 2):
        text = [random_text(index) for index in (first, first + 1)]
        await store.append(record(), noise(first, text))
    waiting = [store.save(record(number)) for number in range(2, 60)]
    waiting.append(store.save(built()))
    server.start()
    await eventually(store.check)
    await asyncio.gather(*waiting)
    said = await read(store)
    assert list(said)[:2] == [0, 1]
    assert 2 < len(said) < 102
    assert (await store.get("build-1")).record == built()
    assert len(await store.newest(99)) == 59


async def test_without_a_folder_for_the_spool_states_survive(server, pg, tmp_path):
    (tmp_path / "file").write_text("")
    store = await pg.open(spool_dir=tmp_path / "file" / "spool")
    await store.save(record())
    server.stop()
    await store.append(record(), page(0, 2))
    waiting = [store.save(record(2)), store.save(built(2))]
    with pytest.raises(StoreUnavailable):
        await store.check()
    server.start()
    await eventually(store.check)
    await asyncio.gather(*waiting)
    assert (await store.get("build-2")).record == built(2)
    assert await read(store) == {}
