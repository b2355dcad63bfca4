"""The connection to the database: which driver, how long anything may take, what went wrong.

Nothing here may hold a thread for more than a few seconds, whatever the server does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that a transaction may take, and a connection's beginning.
PATIENCE = 5.0
#: Seconds that a change of the tables may take.
_UPGRADE_PATIENCE = 600.0
#: The hub's image has the first one.
_DRIVERS = ("psycopg2", "psycopg")
_WRITES = "imagebuilder_writes"
#: Seconds between two transactions that write to a file of SQLite, at most.  Who wants to read
#: looks each tenth of a second whether it may: one transaction behind the other lets nobody in.
_BREATH = 0.15

_LIBPQ: dict[str, Any] = {
    "application_name": "jupyterhub-imagebuilder",
    "connect_timeout": int(PATIENCE),
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": int(PATIENCE * 1000),
}


def parse_url(text: str) -> URL:
    """Read the address of a database, and choose the driver where it names none.

    :raises ConfigurationError: it cannot be used.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "c.ImageBuilder.database_url has to be sqlite:////path/to/file or "
            "postgresql://user@host/name."
        ) from error
    if url.password is not None or "password" in url.query:
        raise ConfigurationError(
            "c.ImageBuilder.database_url has a password in it, where logs and process lists show "
            "it: put it into a file and name that in c.ImageBuilder.database_password_file."
        )
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigurationError(
                "c.ImageBuilder.database_url has to name a file, as in sqlite:////path/to/file."
            )
        return url
    if kind in ("postgresql", "postgres"):
        return _with_driver(url)
    raise ConfigurationError(
        f"c.ImageBuilder.database_url names {kind}, but only sqlite and postgresql are supported."
    )


def _with_driver(url: URL) -> URL:
    _, _, named = url.drivername.partition("+")
    for driver in (named,) if named else _DRIVERS:
        if driver in _DRIVERS and importlib.util.find_spec(driver):
            return url.set(drivername=f"postgresql+{driver}")
    raise ConfigurationError(
        "c.ImageBuilder.database_url names PostgreSQL, for which a Python package is missing "
        "where the image builder runs: install psycopg2-binary there."
    )


class Database:
    """An engine whose transactions end in time.  Used from threads.

    :param url: see :func:`parse_url`.
    :param password_file: path of a file with PostgreSQL's password; read for each connection,
        so that it can change.
    :ivar path: of SQLite's file; None where there is none.
    """

    def __init__(self, url: URL, password_file: Path | None = None) -> None:
        self.sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database or "") if self.sqlite else None
        self._password_file = password_file
        self._readers_turn = 0.0  # ends then, by the monotonic clock
        self._engine = self._sqlite(url) if self.sqlite else self._postgresql(url)
        event.listen(self._engine, "begin", self._begin)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Do ``work``, which changes nothing, in a transaction.

        :raises StoreUnavailable: no answer, or not in time.
        """
        return self._run(work, PATIENCE, {})

    def write(self, work: Callable[[sa.Connection], T], *, upgrade: bool = False) -> T:
        """Do ``work`` in a transaction that no other writer of an SQLite file comes into.

        :param upgrade: it changes the tables, which may take long.
        :raises StoreUnavailable: no answer, or not in time; it was done or was not.
        """
        patience = _UPGRADE_PATIENCE if upgrade else PATIENCE
        time.sleep(max(0.0, self._readers_turn - time.monotonic()))
        begun = time.monotonic()
        try:
            return self._run(work, patience, {_WRITES: True})
        finally:
            if self.sqlite:
                ended = time.monotonic()
                self._readers_turn = ended + min(_BREATH, (ended - begun) / 4)

    def make_file(self) -> None:
        """Make the file of SQLite where there is none, and its folder, for its owner alone.

        :raises StoreUnavailable: it cannot be made.
        """
        if self.path is None or self.path.exists():
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise StoreUnavailable(
                f"The database's file cannot be made: {os.strerror(error.errno or 0)}."
            ) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()

    def _run(
        self, work: Callable[[sa.Connection], T], patience: float, options: dict[str, Any]
    ) -> T:
        begun = time.monotonic()
        try:
            try:
                return self._once(work, patience, options)
            except DBAPIError as error:
                # the server was started anew since: all connections of the pool are gone by now
                if not error.connection_invalidated or time.monotonic() > begun + patience / 2:
                    raise
                return self._once(work, patience, options)
        except (sa.exc.DataError, sa.exc.IntegrityError):
            raise  # it answers, and does not like what it is given
        except DBAPIError as error:
            raise StoreUnavailable(sentence(error)) from error
        except sa.exc.TimeoutError as error:
            raise StoreUnavailable("The database does not answer in time.") from error

    def _once(
        self, work: Callable[[sa.Connection], T], patience: float, options: dict[str, Any]
    ) -> T:
        with self._engine.connect() as connection:
            connection.execution_options(**options)
            with self._deadline(connection, patience), connection.begin():
                return work(connection)

    @contextlib.contextmanager
    def _deadline(self, connection: sa.Connection, seconds: float) -> Iterator[None]:
        """Cut the line to a server that is silent: its own time limits do not help then."""
        if self.sqlite:
            yield
            return
        lock = threading.Lock()
        over = False
        number = connection.connection.dbapi_connection.fileno()  # type: ignore[union-attr]

        def cut() -> None:
            with lock:
                if not over:
                    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as line:
                        line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            with lock:
                over = True
            timer.cancel()

    def _sqlite(self, url: URL) -> sa.Engine:
        engine = sa.create_engine(
            url,
            connect_args={"timeout": PATIENCE},
            pool_size=4,
            pool_timeout=PATIENCE,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _postgresql(self, url: URL) -> sa.Engine:
        further: dict[str, Any] = {}
        if url.get_driver_name() == "psycopg2":
            further["executemany_mode"] = "values_plus_batch"
        engine = sa.create_engine(
            url,
            connect_args=_LIBPQ,
            isolation_level="READ COMMITTED",
            pool_size=4,
            pool_timeout=PATIENCE,
            hide_parameters=True,
            **further,
        )
        event.listen(engine, "do_connect", self._give_password)
        return engine

    def _begin(self, connection: sa.Connection) -> None:
        if self.sqlite:
            # two that read and then want to write would wait for each other
            writes = connection.get_execution_options().get(_WRITES)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        else:
            limit = f"{int(PATIENCE * 1000)}ms"
            connection.execute(
                sa.select(
                    # for this transaction: a pooler may hand the connection to others then
                    sa.func.set_config("statement_timeout", limit, True),  # noqa: FBT003
                    sa.func.set_config("lock_timeout", limit, True),  # noqa: FBT003
                )
            )

    def _give_password(self, _dialect: Any, _record: Any, _args: Any, options: Any) -> None:
        if self._password_file is None:
            return
        try:
            options["password"] = self._password_file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreUnavailable(
                "The file that c.ImageBuilder.database_password_file names cannot be read."
            ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own idea of transactions leaves DDL out
    connection.execute("PRAGMA synchronous=FULL").close()


#: What databases say, and what it asks of their admin.
_SENTENCES = (
    ("disk is full", "The database's disk is full."),
    ("no space left", "The database's disk is full."),
    ("readonly database", "The database's file cannot be written."),
    ("unable to open", "The database's file cannot be opened."),
    ("not a database", "The database's file is damaged, or no database."),
    ("malformed", "The database's file is damaged, or no database."),
    ("is locked", "Another program holds the database's file locked."),
    ("password", "The database refuses the user or the password."),
    ("no pg_hba.conf entry", "The database refuses connections from here."),
    ("permission denied", "The database's user lacks a right there."),
    ("does not exist", "The database, or a table in it, does not exist."),
    ("no such table", "A table is missing in the database."),
)


def sentence(error: BaseException) -> str:
    """Why the database cannot be used, without names and secrets."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    log.debug("the database: %s", said)
    for part, meaning in _SENTENCES:
        if part in said:
            return meaning
    return "The database does not answer."
