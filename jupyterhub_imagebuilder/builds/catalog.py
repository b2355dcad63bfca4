"""The builds that can be told of: those of this process, and what is stored of all others."""

from __future__ import annotations

import logging
from collections import deque

from jupyterhub_imagebuilder.builds.build import Audience, Build
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner
from jupyterhub_imagebuilder.builds.record import Kept
from jupyterhub_imagebuilder.errors import ServiceUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

#: Builds that ended and whose log stays in memory, for viewers that come right behind the end.
_RECENT = 16


class Catalog:
    """Finds builds by id, by what they made and by who asked for them.

    :param audience: of the builds that are made anew from what is stored.
    :param limit: how many builds that are over are in memory; the store has the others.
    """

    def __init__(self, audience: Audience, limit: int) -> None:
        self._audience = audience
        self._store = audience.store
        self._limit = limit
        self._builds: dict[str, Build] = {}  # by id, oldest first
        self._over: deque[Build] = deque()  # oldest end first
        self._made: dict[tuple[str, str], Build] = {}  # by key and digest, those in memory

    def add(self, build: Build) -> None:
        """Know a build from now on."""
        self._builds[build.id] = build
        if build.over:
            self.ended(build)

    def ended(self, build: Build) -> None:
        """Note that a build is over; old ones make room."""
        self._over.append(build)
        if build.digest:
            self._made[build.request.key, build.digest] = build
        if len(self._over) > _RECENT:
            self._over[-1 - _RECENT].shelve()
        while len(self._over) > self._limit:
            old = self._over.popleft()
            del self._builds[old.id]
            self._unmade(old)

    def here(self) -> list[Build]:
        """The builds in memory, oldest first."""
        return list(self._builds.values())

    def known(self, build_id: str) -> Build | None:
        """A build that is in memory."""
        return self._builds.get(build_id)

    def made_by(self, request: BuildRequest, digest: str) -> Build | None:
        """A build in memory that made what the request asks for."""
        return self._made.get((request.key, digest))

    async def forget(self, build: Build) -> None:
        """Know a build that is over no longer, here and in the store.

        :raises StoreUnavailable: it cannot be removed now, and nothing has changed.
        """
        if self._store is not None:
            await self._store.forget(build.id)
        here = self._builds.pop(build.id, None)
        if here is not None and here in self._over:
            self._over.remove(here)
            self._unmade(here)
        build.forgotten = True
        self._audience.news.gone(build)

    async def get(self, build_id: str) -> Build | None:
        """A build, wherever it is known.

        :raises StoreUnavailable: it may be known, but the store cannot tell.
        :raises ServiceUnavailable: another process looks after it.
        """
        build = self._builds.get(build_id)
        if build is None and self._store is not None:
            kept = await self._store.get(build_id)
            # it may have been taken up meanwhile
            build = self._builds.get(build_id) or (self._remade(kept) if kept else None)
        if build is not None and not build.over and build.id not in self._builds:
            raise ServiceUnavailable(
                "Another image builder looks after this build just now; try again in a minute."
            )
        return build

    async def of(self, viewer: Owner, limit: int, before: float | None = None) -> list[Build]:
        """The newest builds that the viewer may see, newest first.

        :param before: only those created earlier, in seconds since the epoch.
        """
        found = {
            build.id: build
            for build in self._builds.values()
            if build.visible_to(viewer) and (before is None or build.created < before)
        }
        if self._store is not None:
            try:
                owner = None if viewer.admin else viewer
                stored = await self._store.newest(limit, owner=owner, before=before)
            except StoreUnavailable as error:
                log.info("older builds cannot be listed: %s", error.message)
                stored = []
            for kept in stored:
                found.setdefault(kept.record.request.id, self._remade(kept))
        return sorted(found.values(), key=lambda build: build.created, reverse=True)[:limit]

    async def made(self, image: str) -> list[Build]:
        """Builds that made an image, those in memory first.

        :param image: ``registry/repository@sha256:…``.
        :raises StoreUnavailable: there may be more.
        """
        here = [b for b in self._builds.values() if b.digest and b.image == image]
        if self._store is None:
            return here
        name, _, digest = image.partition("@")
        return here + [self._remade(kept) for kept in await self._store.made(name, digest)]

    def _unmade(self, old: Build) -> None:
        if old.digest and self._made.get((old.request.key, old.digest)) is old:
            del self._made[old.request.key, old.digest]

    def _remade(self, kept: Kept) -> Build:
        return Build(kept.record.request, self._audience, kept)
