"""The tables: builds, who asked for them, and what was said.

Their names begin with ``imagebuilder_``, the version table's too, so that they can live in a
database of somebody else, such as the hub's.  A change here needs a migration in ``migrations``.
"""

from __future__ import annotations

import sqlalchemy as sa

#: The newest migration: known here, so that a start without news does not import alembic.
HEAD = "0003"
VERSION_TABLE = "imagebuilder_alembic_version"

#: Addresses that are longer are in no index: PostgreSQL takes no row whose key is above 2704 bytes.
LONGEST_KEY = 500

metadata = sa.MetaData()
_SHORT = sa.text(f"length(repository) <= {LONGEST_KEY}")

build = sa.Table(
    "imagebuilder_build",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),  # times are seconds since the epoch
    sa.Column("finished", sa.Double),
    sa.Column("said", sa.Integer, nullable=False),  # events of its feed, kept or not
    sa.Column("is_over", sa.Boolean, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("digest", sa.Text),
    sa.Column("is_cached", sa.Boolean, nullable=False),
    sa.Column("uid", sa.Text),
    sa.Column("entered", sa.Text, nullable=False),  # JSON, [[phase, seconds since the epoch], …]
    sa.Column("build_key", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("commit_id", sa.Text, nullable=False),
    sa.Column("image_registry", sa.Text, nullable=False),
    sa.Column("image_repository", sa.Text, nullable=False),
    sa.Column("image_tag", sa.Text, nullable=False),
    sa.Column("image_name", sa.Text, nullable=False),  # registry and repository, to look it up
    sa.Column("owner_kind", sa.Text, nullable=False),  # who asked first
    sa.Column("owner_name", sa.Text, nullable=False),
    sa.Column("owner_groups", sa.Text, nullable=False),  # JSON, a list
    sa.Column("owner_admin", sa.Boolean, nullable=False),
    sa.Column("next_event", sa.Integer, nullable=False),  # number behind the last one that is kept
    sa.Column("mark", sa.Text),
    sa.Column("is_packed", sa.Boolean, nullable=False),
    # not a part of the state: what is saved leaves these two alone
    sa.Column("is_published", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("image_size", sa.BigInteger),  # bytes
    sa.Index("imagebuilder_build_created", "created"),
    sa.Index("imagebuilder_build_image", "image_name", "digest"),
    sa.Index(
        "imagebuilder_build_repository",
        "repository",
        "created",
        sqlite_where=_SHORT,
        postgresql_where=_SHORT,
    ),
    sa.Index("imagebuilder_build_state", "is_over", "is_packed"),
    sa.Index("imagebuilder_build_published", "is_published", "created"),
    sa.Index("imagebuilder_build_finished", "finished"),
)

owner = sa.Table(
    "imagebuilder_owner",
    metadata,
    sa.Column("build_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Index("imagebuilder_owner_name", "name", "kind"),
)

page = sa.Table(
    "imagebuilder_page",
    metadata,
    sa.Column("build_id", sa.Text, primary_key=True),
    sa.Column("first", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),  # characters of text
    sa.Column("source", sa.Text),  # of its lines, which have one; none where it has no line
    sa.Column("line", sa.Integer),  # index of its first line
    sa.Column("mark", sa.Text),
    sa.Column("data", sa.LargeBinary, nullable=False),  # see codec.py
)
