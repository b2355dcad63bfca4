from __future__ import annotations

import importlib.util
import stat
from itertools import pairwise

import pytest
import sqlalchemy as sa

from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import database as module
from jupyterhub_imagebuilder.store.database import Database, parse_url, sentence


def test_a_file_of_sqlite_and_a_server_of_postgresql_are_understood():
    assert parse_url("sqlite:////srv/builds.sqlite").database == "/srv/builds.sqlite"
    url = parse_url("postgresql://user@db.example.org:5433/hub?sslmode=require")
    assert (url.host, url.port, url.query["sslmode"]) == ("db.example.org", 5433, "require")
    assert url.drivername == "postgresql+psycopg2"


def test_a_driver_that_is_named_is_taken(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert parse_url("postgresql+psycopg://user@db/hub").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url", ["postgresql://user:s3cret@db/hub", "postgresql://db/hub?user=u&password=s3cret"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigurationError, match="database_password_file") as caught:
        parse_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "sqlite:////path"),
        ("not an address", "sqlite:////path"),
        ("postgresql://user@db:port/hub", "sqlite:////path"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///file?mode=memory", "name a file"),
        ("mysql://user@db/hub", "mysql"),
        ("postgresql+asyncpg://user@db/hub", "psycopg2-binary"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_url(url)


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="install psycopg2-binary"):
        parse_url("postgresql://user@db/hub")


def test_the_file_is_its_owners_alone(tmp_path):
    database = Database(parse_url(f"sqlite:///{tmp_path}/new/builds.sqlite"))
    database.make_file()
    file = tmp_path / "new" / "builds.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    file = tmp_path / "hub.sqlite"
    file.touch(0o644)
    database = Database(parse_url(f"sqlite:///{file}"))
    database.make_file()
    database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (x)"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    modes = database.read(
        lambda c: [
            c.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")
        ]
    )
    assert modes == ["delete", 2]  # no WAL, which network volumes do not bear; 2 is FULL
    database.close()


def test_a_file_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        Database(parse_url(f"sqlite:///{tmp_path}/file/builds.sqlite")).make_file()


def test_what_fails_in_the_middle_is_undone_tables_too(tmp_path):
    database = Database(parse_url(f"sqlite:///{tmp_path}/builds.sqlite"))

    def half(connection):
        connection.exec_driver_sql("CREATE TABLE t (x)")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        database.write(half)
    assert database.read(lambda c: sa.inspect(c).get_table_names()) == []
    database.close()


def test_an_unreadable_password_file_names_the_option(tmp_path):
    url = parse_url("postgresql://user@127.0.0.1:1/hub")
    database = Database(url, tmp_path / "absent")
    with pytest.raises(StoreUnavailable, match="database_password_file"):
        database.read(lambda connection: None)


def test_a_server_that_does_not_listen_is_a_sentence_without_its_name():
    database = Database(parse_url("postgresql://user@127.0.0.1:1/hub"))
    with pytest.raises(StoreUnavailable) as caught:
        database.read(lambda connection: None)
    assert caught.value.message == "The database does not answer."


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("could not extend file: No space left on device", "disk is full"),
        ('FATAL:  password authentication failed for user "u"', "user or the password"),
        ("attempt to write a readonly database", "cannot be written"),
        ("anything else", "does not answer"),
    ],
)
def test_what_databases_say_becomes_a_sentence(said, meaning):
    assert meaning in sentence(RuntimeError(said))


class Time:
    """Passes when somebody sleeps, or says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("lasted", "pause"), [(0.004, 0.001), (0.4, 0.1), (4.0, 0.15)])
def test_readers_of_a_file_have_a_turn_between_two_long_writes(
    tmp_path, monkeypatch, lasted, pause
):
    time = Time()
    monkeypatch.setattr(module, "time", time)
    database = Database(parse_url(f"sqlite:///{tmp_path}/builds.sqlite"))
    begun = []

    def work(connection):
        begun.append(time.now)
        time.now += lasted

    for _ in range(3):
        database.write(work)
    time.now += 60
    database.write(work)

    gaps = [later - earlier - lasted for earlier, later in pairwise(begun)]
    assert gaps == pytest.approx([pause, pause, 60])
    database.close()


def test_a_write_that_fails_leaves_its_turn_to_readers_too(tmp_path, monkeypatch):
    time = Time()
    monkeypatch.setattr(module, "time", time)
    database = Database(parse_url(f"sqlite:///{tmp_path}/builds.sqlite"))

    def work(connection):
        time.now += 4
        raise LookupError

    with pytest.raises(LookupError):
        database.write(work)
    before = time.now
    database.write(lambda connection: None)
    assert time.now == pytest.approx(before + 0.15)
    database.close()
