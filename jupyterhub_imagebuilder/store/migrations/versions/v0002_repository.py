"""An index for the builds of a repository, which say how long its next one takes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    short = sa.text("length(repository) <= 500")
    op.create_index(
        "imagebuilder_build_repository",
        "imagebuilder_build",
        ["repository", "created"],
        sqlite_where=short,
        postgresql_where=short,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("imagebuilder_build_repository", "imagebuilder_build")
