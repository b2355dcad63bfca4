"""The rules again, by comparison: any writes, in any portions, lead to what the fake has."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.store import queries, schema, writes
from jupyterhub_imagebuilder.store.database import Database, parse_url
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.tables import metadata
from tests.contract.store.samples import built, failed, page, record
from tests.fakes.store import MemoryStore

AUTHORS = st.sampled_from(["001", "002", "003"])
BUILDS = st.integers(1, 2)
SAVES = st.builds(
    lambda make, number, author, name: Write.save(make(number, author=author, owners=(name,))),
    st.sampled_from(
        [record, built, failed, lambda *a, **k: record(*a, phase=Phase.BUILDING, uid="u", **k)]
    ),
    BUILDS,
    AUTHORS,
    st.sampled_from(["ann", "ben"]),
)
APPENDS = st.builds(
    lambda number, author, first, count, mark: Write(
        f"build-{number}", author, page(first, first + count, mark)
    ),
    BUILDS,
    AUTHORS,
    st.integers(0, 9),
    st.integers(0, 4),
    st.sampled_from([None, "a", "b"]),
)
PORTIONS = st.lists(st.lists(SAVES | APPENDS | AUTHORS, max_size=5), max_size=4)


async def remember(portions):
    store = MemoryStore()
    for step in (step for portion in portions for step in portion):
        if isinstance(step, str):
            await store.unfinished(step)
        elif hasattr(step.content, "events"):
            number = int(step.build_id.removeprefix("build-"))
            store.append(record(number, author=step.author), step.content)
        else:
            store.save(step.content)
    return store


def carry_out(database, portions):
    for portion in portions:
        batch = []
        for step in [*portion, None]:
            if isinstance(step, Write):
                batch.append(step)
                continue
            database.write(lambda c, batch=tuple(batch): writes.apply(c, batch))
            batch = []
            if step is not None:
                database.write(lambda c, step=step: writes.unfinished(c, step))


def said(database, build_id):
    events, number = {}, 0
    while True:
        rows = database.read(lambda c, n=number: queries.read_page(c, build_id, n))
        part = queries.join_page(rows, number)
        if part is None:
            return events
        events |= dict(enumerate(part.events, part.first))
        number = part.end


@pytest.fixture(scope="module")
def one_database(tmp_path_factory):
    database = Database(parse_url(f"sqlite:///{tmp_path_factory.mktemp('store')}/builds.sqlite"))
    # it is the rules that are tried here, without waiting for the disk each time
    event.listen(
        database._engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF").close()
    )
    database.write(schema.upgrade, upgrade=True)
    yield database
    database.close()


def empty(connection):
    for table in metadata.tables.values():
        connection.execute(table.delete())


@settings(max_examples=50, deadline=None)
@given(portions=PORTIONS)
def test_any_writes_lead_to_what_the_fake_has(one_database, portions):
    database = one_database
    database.write(empty)
    carry_out(database, portions)
    fake = asyncio.run(remember(portions))
    known = database.read(lambda c: queries.newest(c, 9, None, None))
    assert {kept.record.request.id for kept in known} == fake.records.keys()
    for build_id in fake.records:
        assert database.read(lambda c, b=build_id: queries.get(c, b)) == fake._kept(build_id)
        assert said(database, build_id) == {
            number: event
            for kept in fake.pages.get(build_id, [])
            for number, event in enumerate(kept.events, kept.first)
        }
