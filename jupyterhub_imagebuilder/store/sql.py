"""The store in a SQL database: SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.builds.record import BuildRecord, Figures, Kept, Page, Wanted
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import figures, queries, schema, writes
from jupyterhub_imagebuilder.store.database import PATIENCE, Database, parse_url
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.inbox import Work
from jupyterhub_imagebuilder.store.tables import HEAD
from jupyterhub_imagebuilder.store.writer import Keeping, Writer

log = logging.getLogger(__name__)

T = TypeVar("T")
Answer = TypeVar("Answer")

_READERS = 2
#: Seconds that the end may take; what is not written by then is spooled.
_END_PATIENCE = 1.0


class SqlStore:
    """Implements :class:`jupyterhub_imagebuilder.builds.ports.Store`.

    What reading returns includes all writes that were waited for, unless the database was away
    then: they wait in the spool, and :meth:`check` says so.

    :param url: ``sqlite:////path/to/file`` or ``postgresql://user@host/name``, without password.
    :param password_file: path of a file with the password; empty: none is given.
    :param spool_dir: folder for what is to be kept while the database is away.
    :param keep_days: builds that ended earlier are removed; 0: none is.
    :param keep_builds: of more builds than this the oldest are removed; 0: none is.
    :param spool_limit: bytes that may wait in the folder.
    :raises ConfigurationError: the address cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        password_file: str | Path = "",
        spool_dir: str | Path,
        keep_days: float = 90,
        keep_builds: int = 10_000,
        spool_limit: int = 64 * 1024 * 1024,
        clock: Clock,
    ) -> None:
        password = Path(password_file) if password_file else None
        self._database = Database(parse_url(url), password)
        keeping = Keeping(Path(spool_dir), spool_limit, keep_days, keep_builds)
        self._writer = Writer(self._database, keeping, clock)
        # a page of a long log must not wait for a list of all builds
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")

    async def start(self) -> None:
        """Begin; the database is looked for and brought up to date in a thread, for ever."""
        self._writer.start()

    async def close(self) -> None:
        """End within about a second; what the database has not taken is handed over later."""
        await asyncio.to_thread(self._writer.close, _END_PATIENCE)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def save(self, record: BuildRecord) -> Awaitable[None]:
        """See the port."""
        return self._writer.inbox.put(Write.save(record))

    def append(self, record: BuildRecord, page: Page) -> Awaitable[None]:
        """See the port."""
        return self._writer.inbox.put(Write(record.request.id, record.author, page))

    async def unfinished(self, author: str) -> list[Kept]:
        """See the port."""
        work = Work(lambda connection: writes.unfinished(connection, author))
        found: list[Kept] = await self._writer.inbox.put(work)
        return found

    async def newest(
        self, limit: int, *, owner: Owner | None = None, before: float | None = None
    ) -> list[Kept]:
        """See the port."""
        return await self._read(lambda c: queries.newest(c, limit, owner, before), _as_it_is)

    async def get(self, build_id: str) -> Kept | None:
        """See the port."""
        return await self._read(lambda c: queries.get(c, build_id), _as_it_is)

    async def made(self, image: str, digest: str) -> list[Kept]:
        """See the port."""
        return await self._read(lambda c: queries.made(c, image, digest), _as_it_is)

    async def wanted(self, owner: Owner, limit: int) -> list[Wanted]:
        """See the port."""
        return await self._read(lambda c: queries.wanted(c, owner, limit), _as_it_is)

    async def familiar(self, repository: str, owner: Owner) -> bool:
        """See the port."""
        return await self._read(lambda c: queries.familiar(c, repository, owner), _as_it_is)

    async def figures(self, since: float) -> Figures:
        """See the port."""
        return await self._read(
            lambda c: figures.figures(c, since),
            lambda found: dataclasses.replace(found, disk=figures.disk_of(self._database.path)),
        )

    async def publish(self, build_id: str, *, published: bool) -> None:
        """See the port."""
        # behind everything that was written of it, here and below
        await self._writer.inbox.put(
            Work(lambda c: writes.publish(c, build_id, published=published))
        )

    async def weigh(self, build_id: str, size: int) -> None:
        """See the port."""
        await self._writer.inbox.put(Work(lambda c: writes.weigh(c, build_id, size)))

    async def built(self, repository: str, limit: int) -> list[Kept]:
        """See the port."""
        return await self._read(lambda c: queries.built(c, repository, limit), _as_it_is)

    async def forget(self, build_id: str) -> None:
        """See the port."""
        await self._writer.inbox.put(Work(lambda c: writes.forget(c, build_id)))

    async def page(self, build_id: str, number: int) -> Page | None:
        """See the port."""
        return await self._read(
            lambda c: queries.read_page(c, build_id, number),
            lambda rows: queries.join_page(rows, number),
        )

    async def seek(self, build_id: str, source: str, index: int) -> int | None:
        """See the port."""
        return await self._read(
            lambda c: queries.seek_row(c, build_id, source, index),
            lambda row: None if row is None else queries.seek_event(row, source, index),
        )

    async def check(self) -> None:
        """See the port; also raises while something waits to be handed over."""
        version = await self._read(schema.current, _as_it_is)
        trouble = self._writer.trouble
        if trouble is None and version != HEAD:
            trouble = StoreUnavailable("The database's tables are gone, or of another version.")
        if trouble is not None:
            self._writer.retry()  # it answers now
            raise StoreUnavailable(trouble.message)

    async def _read(
        self, ask: Callable[[sa.Connection], Answer], understand: Callable[[Answer], T]
    ) -> T:
        """Ask in a thread, and understand the answer there.

        That comes after the transaction, which holds up those that write to a file of SQLite.
        """

        def work() -> T:
            if not self._writer.attempted.wait(PATIENCE):
                raise StoreUnavailable("The database is still being prepared.")
            if isinstance(self._writer.trouble, schema.TablesTooNew):
                self._writer.retry()
                raise StoreUnavailable(self._writer.trouble.message)
            try:
                return understand(self._database.read(ask))
            except (sa.exc.SQLAlchemyError, zlib.error, ValueError, LookupError) as error:
                log.exception("the store has something that makes no sense")
                raise StoreUnavailable("What was kept of this cannot be read.") from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _as_it_is(answer: T) -> T:
    return answer
