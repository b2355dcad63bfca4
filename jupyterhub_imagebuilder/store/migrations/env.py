"""Run by alembic: carries out migrations on the connection that the caller holds."""

from __future__ import annotations

from alembic import context

from jupyterhub_imagebuilder.store.tables import VERSION_TABLE, metadata

config = getattr(context, "config", None)

if config is not None:  # where it is not alembic that imports this, there is nothing to do
    context.configure(
        connection=config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        # SQLite's too: the connection begins transactions itself, see database.py
        transactional_ddl=True,
    )
    context.run_migrations()
