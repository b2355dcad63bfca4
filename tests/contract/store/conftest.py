from __future__ import annotations

import itertools

import pytest

from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.store import inbox
from jupyterhub_imagebuilder.store.sql import SqlStore
from tests.conftest import need

from . import postgres


@pytest.fixture(autouse=True)
def fast_pace(monkeypatch):
    """Tests wait for each of their writes."""
    monkeypatch.setattr(inbox, "PACE", 0.01)


_names = (f"store{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def postgresql():
    """A server that runs; a test that stops it starts it again."""
    need("postgresql")
    server = postgres.Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def new_database(postgresql):
    """Makes a database of its own, and says its name."""

    def make():
        name = next(_names)
        postgresql.sql(f"CREATE DATABASE {name}")
        return name

    return make


class Place:
    """Where stores of one database can be made, and what they were given."""

    def __init__(self, url, password_file, folder):
        self.url = url
        self.password_file = password_file
        self.spool_dir = folder / "spool"
        self._made = []

    async def open(self, **options):
        options = {"keep_days": 0, "spool_dir": self.spool_dir, "clock": SystemClock()} | options
        store = SqlStore(self.url, password_file=self.password_file, **options)
        self._made.append(store)
        await store.start()
        return store

    async def close(self):
        for store in self._made:
            await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request, tmp_path):
    if request.param == "sqlite":
        place = Place(f"sqlite:///{tmp_path}/state/builds.sqlite", "", tmp_path)
    else:
        server = request.getfixturevalue("postgresql")
        database = request.getfixturevalue("new_database")()
        place = Place(server.url(database), server.password_file, tmp_path)
    place.kind = request.param
    yield place
    await place.close()
