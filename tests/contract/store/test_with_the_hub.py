"""The hub's own database, shared: the hub starts and is upgraded as ever, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from .postgres import PASSWORD, USER
from .samples import lines, page, read, record

#: What the hub does with its database when it starts, and `jupyterhub upgrade-db` between.
_HUB = """
import sys
from jupyterhub import dbutil, orm

def start():
    session = orm.new_session_factory(sys.argv[1])()
    if not session.query(orm.User).filter_by(name="ann").first():
        session.add(orm.User(name="ann"))
        session.commit()
    assert session.query(orm.User).count() == 1

start()
dbutil.upgrade(sys.argv[1])
start()
"""


async def run(*arguments, folder):
    # the hub starts alembic by its name
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize("first", ["hub", "store"])
async def test_hub_and_store_share_a_database(place, tmp_path, first):
    if place.kind == "sqlite":
        place.url = hub_url = f"sqlite:///{tmp_path}/jupyterhub.sqlite"
    else:
        hub_url = place.url.replace(f"{USER}@", f"{USER}:{quote(PASSWORD, safe='')}@")
        # what SQLAlchemy takes by default depends on its version
        hub_url = hub_url.replace("postgresql:", "postgresql+psycopg2:")
    if first == "hub":
        await run("-c", _HUB, hub_url, folder=tmp_path)
    store = await place.open()
    await store.save(record())
    await store.append(record(), page(0, 3))
    await store.check()

    await run("-c", _HUB, hub_url, folder=tmp_path)

    await place.close()
    store = await place.open()
    await store.check()
    assert (await store.get("build-1")).record == record()
    assert await read(store) == dict(enumerate(lines(0, 3)))
