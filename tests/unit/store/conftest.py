from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.store import schema
from jupyterhub_imagebuilder.store.database import Database, parse_url


@pytest.fixture
def database(tmp_path):
    """A database with tables."""
    database = Database(parse_url(f"sqlite:///{tmp_path}/builds.sqlite"))
    database.make_file()
    database.write(schema.upgrade, upgrade=True)
    yield database
    database.close()
