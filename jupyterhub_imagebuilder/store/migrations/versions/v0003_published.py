"""Builds that an admin published, and the sizes of images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BUILD = "imagebuilder_build"


def upgrade() -> None:
    """Add the columns, and an index for each new question."""
    op.add_column(
        _BUILD, sa.Column("is_published", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column(_BUILD, sa.Column("image_size", sa.BigInteger))
    op.create_index("imagebuilder_build_published", _BUILD, ["is_published", "created"])
    op.create_index("imagebuilder_build_finished", _BUILD, ["finished"])


def downgrade() -> None:
    """Take them away."""
    for index in ("finished", "published"):
        op.drop_index(f"imagebuilder_build_{index}", _BUILD)
    op.drop_column(_BUILD, "image_size")
    op.drop_column(_BUILD, "is_published")
