"""The containers that DockerSpawner makes: of the chosen image, and able to say why they end.

States are those of the engine's API (``GET /containers/{id}/json``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from traitlets.config import Configurable

from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason
from jupyterhub_imagebuilder.hub.engine import engine_errors, said_by
from jupyterhub_imagebuilder.hub.gate import is_under
from jupyterhub_imagebuilder.hub.pod import verdict

#: How an image's id begins; DockerSpawner itself names images by name.
ID: Final = "sha256:"
#: Looks at a server that was started, and the seconds between them.
_LOOKS: Final = 20
_INTERVAL: Final = 0.5
_PATIENCE: Final = 1.0  # seconds for one answer
_SAID_LINES: Final = 20
_SAID_LENGTH: Final = 300


class Containers(Configurable):
    """What happens to containers around a start."""

    # of the classes behind this one
    object_id: Any
    remove: Any
    _image_of_ours: str | None

    @property
    def _is_container(self) -> bool:
        """A swarm has services instead."""
        return bool(self.object_type == "container")

    async def create_object(self) -> Any:
        """DockerSpawner's own; the engine keeps one of ours, so that it can say why it ended."""
        if not self._image_of_ours or not self._is_container:
            return await super().create_object()
        remove, self.remove = self.remove, False
        try:
            return await super().create_object()
        finally:
            self.remove = remove

    async def poll(self) -> Any:
        """DockerSpawner's own; removes what has ended, where the engine would have."""
        status = await super().poll()
        # 0 says that there is none; one that is just being started has not ended
        if status and self.remove and self._is_container and not self._start_pending:
            try:
                await self.remove_object()
            except engine_errors() as error:
                # that it has ended must reach the hub
                self.log.warning("Cannot remove %s yet: %s", self.object_name, said_by(error))
            else:
                self.object_id = ""
        return status

    async def _remove_other_container(self, image: str) -> None:
        """A container that was kept would run on with its old image, whatever is chosen now."""
        found = await self.get_object()
        if found is None:
            return
        theirs = found["Config"]["Image"]
        ours = theirs.startswith(ID) or is_under(theirs, self._prefix)
        if theirs == image or not (ours or self._image_of_ours):
            return
        self.log.info("Removing %s: its image is not the one to start from", self.object_name)
        if found["State"]["Running"]:
            await self.stop_object()
        await self.remove_object()
        self.object_id = ""

    async def get_ip_and_port(self) -> Any:
        """DockerSpawner's own; a container that has ended already has no port to name.

        :raises ImageBuilderError: it has ended, and was of an image of ours.
        """
        try:
            return await super().get_ip_and_port()
        except Exception as error:
            if self._image_of_ours and self._is_container:
                found = await self.get_object()
                if found is None or not found["State"]["Running"]:
                    raise await self._why(found) from error
            raise

    async def _see_it_run(self, address: Any) -> None:
        """Look at a server of ours until it answers, for a few seconds; the hub waits longer.

        :param address: host and port of the server.
        :raises ImageBuilderError: it has ended.
        """
        if not self._image_of_ours or not self._is_container:
            return
        for _ in range(_LOOKS):
            try:
                found = await self.get_object()
            except engine_errors() as error:  # looking is a courtesy
                self.log.warning("Cannot look at %s: %s", self.object_name, said_by(error))
                return
            if found is None or not found["State"]["Running"]:
                raise await self._why(found)
            if await _answers(*address):
                return
            await asyncio.sleep(_INTERVAL)

    async def _why(self, found: Mapping[str, Any] | None) -> ImageBuilderError:
        code, said = None, ""
        if found is not None:
            code = found["State"].get("ExitCode")
            said = await self._last_words()
        sentence = verdict({"exitCode": code, "message": said})
        if sentence is None:
            last = said.splitlines()[-1:] or ["nothing"]
            sentence = (
                f"The image was started, but its server ended at once (exit code {code}); the "
                f"last that it said: {last[0][:_SAID_LENGTH]}"
            )
        return ImageBuilderError(sentence, Reason.IMAGE_UNUSABLE)

    async def _last_words(self) -> str:
        try:
            log: bytes = await self.docker("logs", self.object_id, tail=_SAID_LINES)
        except engine_errors() as error:  # some log drivers keep nothing that could be read
            self.log.warning("No log of %s: %s", self.object_name, said_by(error))
            return ""
        return log.decode(errors="replace").strip()


async def _answers(host: str, port: int) -> bool:
    """Whether a server says anything; that a port is open says only that the engine listens."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(b"GET /api HTTP/1.0\r\n\r\n")
                return bool(await reader.read(1))
            finally:
                writer.close()
    except OSError:
        return False
