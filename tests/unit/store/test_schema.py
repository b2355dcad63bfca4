from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from jupyterhub_imagebuilder.store import codec, queries, schema
from jupyterhub_imagebuilder.store.database import Database, parse_url
from jupyterhub_imagebuilder.store.migrations import env
from jupyterhub_imagebuilder.store.tables import HEAD, VERSION_TABLE, metadata
from tests.contract.store.samples import built


def test_head_is_the_newest_migration(database):
    scripts = database.read(lambda c: ScriptDirectory.from_config(schema._config(c)))
    assert scripts.get_heads() == [HEAD]
    assert database.read(schema.current) == HEAD


def test_the_migrations_lead_to_the_tables_that_the_code_knows(database):
    def differences(connection):
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, metadata)

    assert database.read(differences) == []


def test_names_are_ours(database):
    names = database.read(lambda c: sa.inspect(c).get_table_names())
    assert len(names) == 4
    assert all(name.startswith("imagebuilder_") for name in names)


def test_a_second_time_changes_nothing(database):
    database.write(schema.upgrade, upgrade=True)
    assert database.read(schema.current) == HEAD


def test_a_newer_version_is_refused(database):
    database.write(lambda c: c.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(schema.TablesTooNew):
        database.write(schema.upgrade, upgrade=True)
    assert database.read(schema.current) == "9999"


def test_alembic_is_not_imported_with_the_store():
    code = "import jupyterhub_imagebuilder.store.sql, sys; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_module_can_be_imported_as_those_do_who_list_them():
    importlib.reload(env)
    assert env.config is None


def test_what_the_first_version_kept_is_there_after_the_update(tmp_path):
    database = Database(parse_url(f"sqlite:///{tmp_path}/old.sqlite"))
    database.make_file()
    database.write(lambda c: command.upgrade(schema._config(c), "0001"))
    columns = codec.columns(built()) | {"next_event": 0, "mark": None, "is_packed": False}
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    insert = sa.text(f"INSERT INTO imagebuilder_build ({names}) VALUES ({values})")
    database.write(lambda c: c.execute(insert, columns))
    database.write(schema.upgrade, upgrade=True)
    found = database.read(lambda c: queries.get(c, "build-1"))
    assert (found.published, found.size, found.record.digest) == (False, None, built().digest)
    database.write(lambda c: command.downgrade(schema._config(c), "0001"))
    assert database.read(schema.current) == "0001"
    database.close()


def test_each_question_has_its_index(database):
    def plan(question):
        rows = database.read(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all())
        return " ".join(row[3] for row in rows)

    table = "imagebuilder_build"
    assert f"{table}_published" in plan(
        f"SELECT * FROM {table} WHERE is_published = 1 ORDER BY created DESC LIMIT 9"
    )
    assert f"{table}_finished" in plan(
        f"SELECT reason, count(*) FROM {table} WHERE finished >= 1 AND phase = 'failed' "
        "GROUP BY reason"
    )
