"""What spawners other than KubeSpawner do with an image.

These classes come in front of ``ImageBuilderSpawner``, and say otherwise what it says for pods.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NoReturn

from traitlets import Unicode
from traitlets.config import Configurable

from jupyterhub_imagebuilder.builds.naming import IMAGES_OF_THE_ENGINE


class ImageServers(Configurable):
    """A spawner that starts what its ``image`` names; how it pulls is its own business."""

    # of the classes behind this one
    image: Any
    _image_of_ours: str | None

    @property
    def _prefix(self) -> str:
        prefix: str = super()._prefix
        return prefix or IMAGES_OF_THE_ENGINE

    def _use_image(self, image: str) -> None:
        """Let the server start from an image of ours, which is pinned."""
        self.image = image

    async def _until_hopeless(self) -> NoReturn:
        """There is no pod to look at."""
        while True:
            await asyncio.Event().wait()


class ProcessServers(ImageServers):
    """A spawner without images: it builds, says which image it would be, and starts as ever."""

    image = Unicode()  #: what the choice came to; nothing starts from it

    environment: Any

    def _use_image(self, image: str) -> None:
        """Tell the server of the image."""
        super()._use_image(image)
        self.environment = {**self.environment, "JUPYTER_IMAGE_SPEC": image}

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """All that is said elsewhere, and that the image is not used."""
        async with aclosing(super().progress()) as events:
            async for event in events:
                yield event
        if image := self._image_of_ours:
            text = f"The image is {image}; this hub's servers are processes and do not use it."
            yield {"progress": 60, "message": text}
