"""Brings the tables up to date, once per start."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa

from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store.tables import HEAD, VERSION_TABLE

log = logging.getLogger(__name__)

_PACKAGE = "jupyterhub_imagebuilder.store:migrations"
#: Any number that nobody else takes for a lock: two processes that start make the tables once.
_LOCK = 0x1B_B0_17_D5
_version = sa.table(VERSION_TABLE, sa.column("version_num"))


class TablesTooNew(StoreUnavailable):
    """A newer service made the tables: what is in them may mean something else by now."""


def current(connection: sa.Connection) -> str | None:
    """The version of the tables; None where there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(sa.select(_version.c.version_num)).scalar()
    return version


def upgrade(connection: sa.Connection) -> None:
    """Carry out what is missing, within the transaction of ``connection``.

    :raises TablesTooNew: nothing is changed.
    """
    if connection.dialect.name == "postgresql":
        # a table of thousands of builds takes longer than a statement of every day may
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    found = current(connection)
    if found == HEAD:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise TablesTooNew(
            "A newer version of the image builder wrote this database; install that version, or "
            "name another database."
        )
    log.info("bringing the tables of builds from %s to %s", found or "nothing", HEAD)
    command.upgrade(config, "head")


def _config(connection: sa.Connection) -> Any:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _PACKAGE)
    config.set_main_option("path_separator", "os")
    return config
