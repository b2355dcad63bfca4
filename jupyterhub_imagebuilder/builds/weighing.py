"""How large an image is: nice to know, and never in anybody's way."""

from __future__ import annotations

import logging

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.ports import Registry, Store
from jupyterhub_imagebuilder.errors import ImageBuilderError

log = logging.getLogger(__name__)


class Scales:
    """Finds out how large what was built is.

    :param platform: which image of an index is meant: ``linux/amd64``.
    """

    def __init__(self, registry: Registry, store: Store | None, platform: str) -> None:
        self._registry = registry
        self._store = store
        self._platform = platform

    async def weigh(self, build: Build) -> None:
        """Find it out for a build that is over, and keep it; where that fails, nobody knows."""
        if build.digest is None or build.size is not None:
            return
        try:
            size = await self._size(build, build.digest)
            if size is None:
                return
            build.weigh(size)
            if self._store is not None:
                await self._store.weigh(build.id, size)
        except ImageBuilderError as error:
            log.info("%s: its size is not known: %s", build.request.name, error.message)
        except Exception:
            log.exception("%s: its size is not known", build.request.name)

    async def _size(self, build: Build, digest: str) -> int | None:
        image = build.request.image
        if not build.cached:
            return await self._registry.size(image, digest, self._platform)
        # what was found was built before: a registry that counts requests is not asked for it
        earlier = await self._store.made(image.name, digest) if self._store else []
        return next((kept.size for kept in earlier if kept.size is not None), None)
