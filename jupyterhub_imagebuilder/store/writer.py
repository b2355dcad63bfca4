"""The thread that writes: one transaction for all that waits, or the spool."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.builds.record import BuildRecord
from jupyterhub_imagebuilder.errors import StoreUnavailable
from jupyterhub_imagebuilder.store import schema, upkeep, writes
from jupyterhub_imagebuilder.store.database import Database
from jupyterhub_imagebuilder.store.fold import Write, newest
from jupyterhub_imagebuilder.store.inbox import Inbox, Item, Work, settle
from jupyterhub_imagebuilder.store.spool import Spool
from jupyterhub_imagebuilder.store.tables import HEAD

log = logging.getLogger(__name__)

#: Seconds between two tries while the database is away: the first, and the most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: Seconds between two looks for what is too old.
_UPKEEP_PAUSE = 3600.0
_DAY = 86400.0
#: Writes, and bytes, that are taken out of the spool at once.
_SPOOLED, _SPOOLED_SIZE = 500, 512 * 1024


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept, and where it waits while the database is away."""

    folder: Path  #: of the spool
    room: int  #: bytes of the spool
    days: float  #: 0: for ever
    builds: int  #: 0: any number


class Writer:
    """Carries out what comes into its inbox, in order, for as long as it takes."""

    def __init__(self, database: Database, keeping: Keeping, clock: Clock) -> None:
        self.inbox = Inbox()
        self.attempted = threading.Event()  #: it is known whether the database answers
        self.trouble: StoreUnavailable | None = None  #: why it does not
        self._database = database
        self._keeping = keeping
        self._clock = clock
        self._spool = Spool(keeping.folder, keeping.room)
        self._late: dict[str, BuildRecord] = {}  # states that the spool has no room for
        self._late_items: list[Item] = []
        self._flight: Sequence[Item] = ()
        self._abandoned = False
        self._checked = False  # the tables are up to date
        self._tries = 0
        self._next_try = time.monotonic()
        self._to_pack: dict[str, int] = {}  # by build: the event to go on at
        self._next_upkeep = 0.0
        self._prunes = False
        self._dropping = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def retry(self) -> None:
        """Try the database now: it seems to be back."""
        self._next_try = time.monotonic()
        self.inbox.wake()

    def close(self, patience: float) -> None:
        """End within ``patience`` seconds, with everything on some disk.  Waits."""
        self.inbox.close()
        if self._thread.ident is not None:
            self._thread.join(patience)
        if self._thread.is_alive():
            # what is under way is kept twice then, which changes nothing
            self._abandoned = True
            items = [*self._flight, *self.inbox.clear()]
            spool = Spool(self._keeping.folder, self._keeping.room)
            late = [Write.save(record) for record in list(self._late.values())]
            wanted = [item.what for item in items if isinstance(item.what, Write)]
            refused = spool.add([*late, *wanted])
            spool.close()
            self._end([*items, *self._late_items], len(refused))

    def _run(self) -> None:
        self._spool.find()
        while not self.inbox.closed:
            self._guarded_step(self.inbox.wait(self._due()))
        while not self._abandoned and (items := self.inbox.wait(0.0)):
            self._guarded_step(items)
        if not self._abandoned:
            lost = self._spool.add([Write.save(record) for record in self._late.values()])
            self._end(self._late_items, len(lost))
        self._spool.close()
        self._database.close()

    def _guarded_step(self, items: list[Item]) -> None:
        self._flight = items
        try:
            self._step(items)
        except Exception:
            log.exception("a fault in the store")
            settle(items, error=StoreUnavailable("The store made a mistake; its log says more."))
        self._flight = ()

    def _end(self, items: Sequence[Item], lost: int) -> None:
        if lost:
            log.error("%d writes about builds could be kept nowhere", lost)
        settle(items, error=StoreUnavailable("The image builder ends."))

    def _due(self) -> float:
        """When there is something to do although nothing comes in."""
        if self.trouble is not None or not self._checked or not self._spool.empty:
            return self._next_try
        if self._to_pack or self._prunes:
            return time.monotonic()
        return self._next_upkeep

    def _step(self, items: list[Item]) -> None:
        wanted = [item.what for item in items if isinstance(item.what, Write)]
        work = [item for item in items if isinstance(item.what, Work)]
        if self.trouble is not None and not work and time.monotonic() < self._next_try:
            self._keep(items, wanted)
            return
        try:
            self._catch_up()
            self._write(wanted)
            self._plan_packing(wanted)
            settle([item for item in items if isinstance(item.what, Write)])
            wanted = []
            for item in work:
                self._work(item)
            if not items:
                self._upkeep()
        except StoreUnavailable as error:
            self._suffer(error)
            self._keep(items, wanted)
            settle(work, error=error)

    def _catch_up(self) -> None:
        """Make the tables, and hand over what could not be handed over before."""
        if not self._checked:
            self._prepare()
        for batch in self._spool.batches(_SPOOLED, _SPOOLED_SIZE):
            self._write(batch)
            self._plan_packing(batch)
        if self._late:
            late = [Write.save(record) for record in self._late.values()]
            self._write(late)
            self._plan_packing(late)
            settle(self._late_items)
            self._late, self._late_items = {}, []
        if self.trouble is not None:
            log.info("the database of builds answers again, and has everything that was kept")
        self.trouble, self._tries, self._dropping = None, 0, False
        self.attempted.set()

    def _prepare(self) -> None:
        self._database.make_file()
        try:
            if self._database.read(schema.current) != HEAD:
                self._database.write(schema.upgrade, upgrade=True)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("the tables of builds cannot be brought up to date")
            raise StoreUnavailable(
                "The database's tables cannot be brought up to date; the log says why."
            ) from error
        self._checked = True
        self._next_upkeep = time.monotonic()

    def _write(self, wanted: Sequence[Write]) -> None:
        if not wanted:
            return
        if self._abandoned:
            raise StoreUnavailable("The image builder ends.")
        try:
            self._database.write(lambda connection: writes.apply(connection, wanted))
        except StoreUnavailable:
            raise
        except Exception:
            if len(wanted) == 1:
                # one that can never be written must not hold up all others
                log.exception("the database refuses something about build %s", wanted[0].build_id)
                return
            half = len(wanted) // 2
            self._write(wanted[:half])
            self._write(wanted[half:])

    def _work(self, item: Item) -> None:
        assert isinstance(item.what, Work)  # noqa: S101 -- for the type checker
        try:
            settle([item], self._database.write(item.what.do))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("a fault in the store")
            failure = StoreUnavailable("The store made a mistake; its log says more.")
            failure.__cause__ = error
            settle([item], error=failure)

    def _suffer(self, error: StoreUnavailable) -> None:
        if self.trouble is None:
            log.warning("%s Builds go on; what is to be kept waits on disk.", error.message)
            log.debug("the database:", exc_info=error)
        self.trouble = error
        self._checked = False  # it may be another one when it comes back
        pause = min(_FIRST_PAUSE * 2**self._tries, _LONGEST_PAUSE)
        self._tries = min(self._tries + 1, 10)
        self._next_try = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311
        self.attempted.set()

    def _keep(self, items: Sequence[Item], wanted: Sequence[Write]) -> None:
        """Put writes where they outlive the process, or else where they outlive the trouble."""
        # a state must not overtake one that waits in memory
        spooled = [
            write
            for write in wanted
            if not self._late or not isinstance(write.content, BuildRecord)
        ]
        refused = {id(write) for write in self._spool.add(spooled)}
        kept_late = []
        for item in items:
            write = item.what
            if not isinstance(write, Write) or not isinstance(write.content, BuildRecord):
                continue
            if self._late or id(write) in refused:
                known = self._late.get(write.build_id)
                self._late[write.build_id] = newest(known, write.content)
                kept_late.append(item)
        self._late_items += kept_late
        if refused and not self._dropping:
            self._dropping = True
            log.warning("no room for what is to be kept: logs of builds will have holes")
        late = {id(item) for item in kept_late}
        settle([i for i in items if isinstance(i.what, Write) and id(i) not in late])

    def _plan_packing(self, written: Sequence[Write]) -> None:
        for write in written:
            if isinstance(write.content, BuildRecord) and write.content.phase.terminal:
                self._to_pack.setdefault(write.build_id, 0)

    def _upkeep(self) -> None:
        """One short step of what can wait."""
        if time.monotonic() >= self._next_upkeep:
            self._next_upkeep = time.monotonic() + _UPKEEP_PAUSE
            self._prunes = True
            for build_id in self._database.read(upkeep.unpacked):
                self._to_pack.setdefault(build_id, 0)
            self._spool.find()  # of a process that ended since
        elif self._prunes:
            self._prunes = self._prune()
        elif self._to_pack:
            build_id, start = next(iter(self._to_pack.items()))
            end = self._pack(build_id, start)
            if end is None:
                del self._to_pack[build_id]
            else:
                self._to_pack[build_id] = end

    def _prune(self) -> bool:
        days, builds = self._keeping.days, self._keeping.builds
        before = self._clock.now() - days * _DAY if days else None
        return self._database.write(lambda connection: upkeep.prune(connection, before, builds))

    def _pack(self, build_id: str, start: int) -> int | None:
        try:
            return self._database.write(lambda connection: upkeep.pack(connection, build_id, start))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("the log of build %s stays as it is", build_id)
            return None
