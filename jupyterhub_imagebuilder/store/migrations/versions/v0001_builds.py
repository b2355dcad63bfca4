"""Builds, their owners and what was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _make_builds()
    op.create_table(
        "imagebuilder_owner",
        sa.Column("build_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
    )
    op.create_index("imagebuilder_owner_name", "imagebuilder_owner", ["name", "kind"])
    op.create_table(
        "imagebuilder_page",
        sa.Column("build_id", sa.Text, primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("line", sa.Integer),
        sa.Column("mark", sa.Text),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _make_builds() -> None:
    op.create_table(
        "imagebuilder_build",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("finished", sa.Double),
        sa.Column("said", sa.Integer, nullable=False),
        sa.Column("is_over", sa.Boolean, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("is_cached", sa.Boolean, nullable=False),
        sa.Column("uid", sa.Text),
        sa.Column("entered", sa.Text, nullable=False),
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
        sa.Column("image_name", sa.Text, nullable=False),
        sa.Column("owner_kind", sa.Text, nullable=False),
        sa.Column("owner_name", sa.Text, nullable=False),
        sa.Column("owner_groups", sa.Text, nullable=False),
        sa.Column("owner_admin", sa.Boolean, nullable=False),
        sa.Column("next_event", sa.Integer, nullable=False),
        sa.Column("mark", sa.Text),
        sa.Column("is_packed", sa.Boolean, nullable=False),
    )
    op.create_index("imagebuilder_build_created", "imagebuilder_build", ["created"])
    op.create_index("imagebuilder_build_image", "imagebuilder_build", ["image_name", "digest"])
    op.create_index("imagebuilder_build_state", "imagebuilder_build", ["is_over", "is_packed"])


def downgrade() -> None:
    """Remove the tables, and with them all that was kept."""
    op.drop_table("imagebuilder_page")
    op.drop_table("imagebuilder_owner")
    op.drop_table("imagebuilder_build")
