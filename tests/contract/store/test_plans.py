"""Which index a question is answered from, as the databases say it."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

import sqlalchemy as sa

from jupyterhub_imagebuilder.store import codec, queries
from jupyterhub_imagebuilder.store.database import Database, parse_url
from jupyterhub_imagebuilder.store.tables import build

from .samples import built, record

BUILDS, REPOSITORIES = 4000, 200


def of(repository, number=1, make=built):
    made = make(number)
    resolved = made.request.resolved
    spec = dataclasses.replace(resolved.spec, repository=repository)
    request = dataclasses.replace(made.request, resolved=dataclasses.replace(resolved, spec=spec))
    return dataclasses.replace(made, request=request)


def url(number):
    return f"https://git.example.org/org/repo-{number % REPOSITORIES}"


def plan(connection, question):
    text = str(question.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row) for row in connection.exec_driver_sql(f"{word} {text}"))


async def test_the_builds_of_a_repository_are_found_by_an_index(place):
    store = await place.open()
    assert await store.newest(1) == []  # it has made its tables
    database = Database(parse_url(place.url), Path(place.password_file or "/dev/null"))
    rest = {"said": 0, "is_over": True, "next_event": 0, "is_packed": True}
    rows = [codec.columns(of(url(number), number)) | rest for number in range(BUILDS)]

    def fill(connection):
        connection.execute(sa.insert(build), rows)
        connection.exec_driver_sql("ANALYZE")

    database.write(fill)
    question = queries.newest_of(url(7), 10)
    assert "imagebuilder_build_repository" in database.read(lambda c: plan(c, question))
    found = database.read(lambda c: queries.built(c, url(7), 10))
    expected = [BUILDS - REPOSITORIES * back + 7 - REPOSITORIES for back in range(10)]
    assert [k.record.request.id for k in found] == [f"build-{number}" for number in expected]
    database.close()


async def test_an_address_of_any_length_is_kept_and_found(place):
    store = await place.open()
    # nothing that could be compressed: an index of PostgreSQL takes 2704 bytes
    for number, long in enumerate(
        f"https://x.example/{secrets.token_hex(n)}" for n in (241, 242, 9000)
    ):
        await store.save(of(long, number, record))
        await store.save(of(long, number))
        assert [k.record.request.id for k in await store.built(long, 10)] == [f"build-{number}"]
