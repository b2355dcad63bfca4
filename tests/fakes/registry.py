"""A registry in memory; it passes the contract suite of the port."""

from __future__ import annotations

from collections.abc import Mapping

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import ImageBuilderError


class FakeRegistry:
    """Answers from ``images``; fails as told.

    :param images: digest of each image that is there; tests change it as they go.
    """

    def __init__(self, images: Mapping[ImageName, str] | None = None) -> None:
        self.images = dict(images or {})
        self.down: ImageBuilderError | None = None  #: raised by everything until it is None again
        self.failures: list[ImageBuilderError] = []  #: raised by the next calls, one each
        self.asked: list[ImageName] = []  #: look-ups, in their order
        self.fresh: list[ImageName] = []  #: those of them that wanted a fresh answer
        self.prepared: list[ImageName] = []  #: before each build
        self.checks = 0
        self.sizes: dict[str, int] = {}  #: by digest
        self.weighed: list[str] = []  #: digests, in the order of the questions

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:
        self.asked.append(image)
        if fresh:
            self.fresh.append(image)
        self._fail()
        return self.images.get(image)

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:
        self.weighed.append(digest)
        self._fail()
        return self.sizes.get(digest)

    async def prepare(self, image: ImageName) -> None:
        self.prepared.append(image)
        self._fail()

    async def remove(self, image: ImageName) -> None:
        self._fail()
        self.images.pop(image, None)

    async def check(self) -> None:
        self.checks += 1
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if self.down is not None:
            raise self.down
