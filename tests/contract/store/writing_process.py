"""Writes without end, and says what was acknowledged: a process to be killed.

Arguments: the database's URL, the password's file, the spool's folder.
"""

from __future__ import annotations

import asyncio
import sys

from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.store.sql import SqlStore

from .samples import page, record


async def main(url, password_file, spool_dir):
    store = SqlStore(
        url, password_file=password_file, spool_dir=spool_dir, keep_days=0, clock=SystemClock()
    )
    await store.start()
    await store.save(record())
    first = 0
    while True:
        said = [
            store.append(record(), page(number, number + 5))
            for number in range(first, first + 100, 5)
        ]
        saved = store.save(record(first + 2))
        await asyncio.gather(*said, saved)
        first += 100
        sys.stdout.write(f"{first}\n")
        sys.stdout.flush()


asyncio.run(main(*sys.argv[1:]))
