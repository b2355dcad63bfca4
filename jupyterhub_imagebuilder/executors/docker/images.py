"""The engine as the place where images are kept, for a machine without a registry."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError

_AWAY = "The container engine, which keeps the images, does not answer; please try again."


class EngineImages:
    """:class:`builds.ports.Registry`, answered by the engine: an image's id is its digest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def digest(self, image: ImageName, *, fresh: bool = False) -> str | None:  # noqa: ARG002
        """The id of the image with that name; nothing is remembered, each answer is fresh."""
        try:
            found = await self._engine.inspect_image(str(image))
        except EngineError as error:
            raise RegistryUnavailable(_AWAY) from error
        return str(found["Id"]) if found else None

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:  # noqa: ARG002
        """Bytes of the image on the engine's disk: there, layers are not compressed."""
        try:
            found = await self._engine.inspect_image(digest)
        except EngineError as error:
            raise RegistryUnavailable(_AWAY) from error
        size = found.get("Size") if found else None
        return size if isinstance(size, int) and size >= 0 else None

    async def prepare(self, image: ImageName) -> None:
        """Nothing: what is built here stays here."""

    async def remove(self, image: ImageName) -> None:
        """Remove the name; its layers go with the last one."""
        try:
            await self._engine.remove_image(str(image))
        except EngineError as error:
            if error.code == HTTPStatus.CONFLICT:
                raise RegistryDenied(
                    "A server runs from this image, so it cannot be removed now."
                ) from error
            if error.code != HTTPStatus.NOT_FOUND:
                raise RegistryUnavailable(_AWAY) from error

    async def check(self) -> None:
        """Return when the engine answers."""
        try:
            await self._engine.ping()
        except EngineError as error:
            raise RegistryUnavailable(_AWAY) from error
