"""A store that keeps everything in memory; it passes the suite in ``tests/contract/store``."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Awaitable

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import (
    BuildRecord,
    Failures,
    Figures,
    Kept,
    Page,
    Wanted,
)
from jupyterhub_imagebuilder.errors import StoreUnavailable

#: Events of one answer: few, so that readers meet the borders.
_PAGE = 7


class MemoryStore:
    """Implements ``builds.ports.Store``."""

    def __init__(self) -> None:
        self.records: dict[str, BuildRecord] = {}
        self.pages: dict[str, list[Page]] = {}
        self.published: set[str] = set()  #: ids of builds
        self.sizes: dict[str, int] = {}
        #: set to have every read fail, and every write wait until it is unset (see `recover`)
        self.unavailable: StoreUnavailable | None = None
        #: what was written while it was away; `spool` False: it is lost
        self.spool = True
        self._waiting: list[tuple[BuildRecord, Page | None]] = []

    def recover(self) -> None:
        """The database is back."""
        self.unavailable = None
        waiting, self._waiting = self._waiting, []
        for record, page in waiting:
            self._write(record, page)

    def save(self, record: BuildRecord) -> Awaitable[None]:
        return self._take(record, None)

    def append(self, record: BuildRecord, page: Page) -> Awaitable[None]:
        return self._take(record, page)

    async def unfinished(self, author: str) -> list[Kept]:
        self._fail()
        found = sorted(
            (r for r in self.records.values() if not r.phase.terminal),
            key=lambda record: record.request.created,
        )
        for record in found:
            self.records[record.request.id] = dataclasses.replace(
                record, author=max(author, record.author)
            )
        return [self._kept(record.request.id) for record in found]

    async def newest(
        self, limit: int, *, owner: Owner | None = None, before: float | None = None
    ) -> list[Kept]:
        self._fail()
        found = [
            record
            for record in self.records.values()
            if (
                owner is None
                or (owner.kind, owner.name) in record.owners
                or record.request.id in self.published
            )
            and (before is None or record.request.created < before)
        ]
        found.sort(key=lambda record: record.request.created, reverse=True)
        return [self._kept(record.request.id) for record in found[:limit]]

    async def get(self, build_id: str) -> Kept | None:
        self._fail()
        return self._kept(build_id) if build_id in self.records else None

    async def made(self, image: str, digest: str) -> list[Kept]:
        self._fail()
        found = [
            record
            for record in self.records.values()
            if record.digest == digest and record.request.image.name == image
        ]
        found.sort(
            key=lambda record: (record.request.id in self.published, record.request.created),
            reverse=True,
        )
        return [self._kept(record.request.id) for record in found[:100]]

    async def wanted(self, owner: Owner, limit: int) -> list[Wanted]:
        self._fail()
        found = {}
        for record in sorted(self.records.values(), key=lambda each: each.request.created):
            spec = record.request.spec
            if (owner.kind, owner.name) in record.owners:
                found[spec.provider, spec.repository, spec.ref] = Wanted(
                    spec, record.request.created
                )
        return sorted(found.values(), key=lambda each: each.when, reverse=True)[:limit]

    async def familiar(self, repository: str, owner: Owner) -> bool:
        self._fail()
        return any(
            record.request.spec.repository == repository
            and record.phase is Phase.BUILT
            and (record.request.id in self.published or (owner.kind, owner.name) in record.owners)
            for record in self.records.values()
        )

    async def figures(self, since: float) -> Figures:
        self._fail()
        ends, images = defaultdict(list), defaultdict(int)
        for record in self.records.values():
            if record.phase is Phase.FAILED and record.finished >= since:
                ends[record.reason].append(record.finished)
            if record.phase is Phase.BUILT:
                image = (record.request.image.name, record.digest)
                images[image] = max(images[image], self.sizes.get(record.request.id, 0))
        failures = [Failures(reason, len(each), max(each)) for reason, each in ends.items()]
        failures.sort(key=lambda each: (-each.count, each.reason))
        return Figures(tuple(failures), len(images), sum(images.values()))

    async def publish(self, build_id: str, *, published: bool) -> None:
        self._fail()
        if published:
            self.published.add(build_id)
        else:
            self.published.discard(build_id)

    async def weigh(self, build_id: str, size: int) -> None:
        self._fail()
        self.sizes[build_id] = size

    async def built(self, repository: str, limit: int) -> list[Kept]:
        self._fail()
        found = [
            record
            for record in self.records.values()
            if record.request.spec.repository == repository
            and record.phase is Phase.BUILT
            and not record.cached
        ]
        found.sort(key=lambda record: record.request.created, reverse=True)
        return [self._kept(record.request.id) for record in found[:limit]]

    async def forget(self, build_id: str) -> None:
        self._fail()
        record = self.records.get(build_id)
        if record is not None and record.phase.terminal:
            del self.records[build_id]
            self.pages.pop(build_id, None)
            self.published.discard(build_id)
            self.sizes.pop(build_id, None)

    async def page(self, build_id: str, number: int) -> Page | None:
        self._fail()
        for page in self.pages.get(build_id, []):
            if page.end > number:
                offset = max(number - page.first, 0)
                events = page.events[offset : offset + _PAGE]
                mark = page.mark if offset + _PAGE >= len(page.events) else None
                return Page(page.first + offset, events, mark)
        return None

    async def seek(self, build_id: str, source: str, index: int) -> int | None:
        self._fail()
        best = None
        for page in self.pages.get(build_id, []):
            for number, event in enumerate(page.events, page.first):
                if isinstance(event, LogLine) and event.source == source and event.index <= index:
                    best = number
        return best

    async def check(self) -> None:
        self._fail()

    def _take(self, record: BuildRecord, page: Page | None) -> Awaitable[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        if self.unavailable is None:
            self._write(record, page)
        elif self.spool:
            self._waiting.append((record, page))
        return done

    def _write(self, record: BuildRecord, page: Page | None) -> None:
        build_id = record.request.id
        known = self.records.get(build_id)
        if page is not None:
            pages = self.pages.setdefault(build_id, [])
            end = pages[-1].end if pages else 0
            if (
                known is not None
                and known.author == record.author
                and page.events
                and page.end > end
            ):
                skip = max(end - page.first, 0)
                pages.append(Page(page.first + skip, page.events[skip:], page.mark))
            return
        if known is not None:
            owners = known.owners | record.owners
            weighs = record.phase in (Phase.BUILT, Phase.CANCELLED)
            if known.phase.terminal or (record.author < known.author and not weighs):
                record = dataclasses.replace(known, owners=owners)
            else:
                if record.author > known.author:
                    self.pages.pop(build_id, None)
                record = dataclasses.replace(
                    record, owners=owners, author=max(record.author, known.author)
                )
        self.records[build_id] = record

    def _kept(self, build_id: str) -> Kept:
        pages = self.pages.get(build_id, [])
        marks = [page.mark for page in pages if page.mark is not None]
        return Kept(
            self.records[build_id],
            end=pages[-1].end if pages else 0,
            mark=marks[-1] if marks else None,
            published=build_id in self.published,
            size=self.sizes.get(build_id),
        )

    def _fail(self) -> None:
        if self.unavailable:
            raise self.unavailable
