"""What DockerSpawner does with an image of ours.

Three things are DockerSpawner's own that do not fit: it takes ``user_options["image"]`` for an
image's name, it cannot pull a digest, and it starts a container that it finds, whatever its image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jupyterhub_imagebuilder.builds.naming import split_prefix
from jupyterhub_imagebuilder.errors import ImageBuilderError, ImageUnknown, Reason, SpecInvalid
from jupyterhub_imagebuilder.hub.allowed import AllowedImages
from jupyterhub_imagebuilder.hub.containers import ID, Containers
from jupyterhub_imagebuilder.hub.engine import (
    GONE,
    engine_errors,
    named_failure,
    said_by,
    start_failure,
)
from jupyterhub_imagebuilder.hub.gate import is_under
from jupyterhub_imagebuilder.hub.profile import OtherImage
from jupyterhub_imagebuilder.hub.servers import ImageServers

_SERVER: Final = "jupyterhub-singleuser"
#: The engine's answers for a name that is not there, and for what is no name.
_NO_SUCH_IMAGE: Final = (404, 400)
#: What the engine takes for a name (https://pkg.go.dev/github.com/distribution/reference); the
#: Docker SDK makes a path of its API from it, in which ``..`` would lead elsewhere.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_SAID_LENGTH: Final = 300


class DockerServers(AllowedImages, Containers, ImageServers):
    """A spawner that makes containers on an engine."""

    cmd: Any  # of the classes behind this one
    _named = False  #: whether the user named the image

    # -- the gate

    async def check_allowed(self, _image: str) -> Any:
        """DockerSpawner asks this of ``user_options["image"]``; the gate has decided already."""
        return self.image

    async def _pass_gate(self) -> None:
        await self._ask_allowed_images()
        self._named = isinstance(self._selection(), OtherImage)
        if self._named:
            try:
                await self._refuse_other_names()
            except engine_errors() as error:
                raise named_failure(error, self.image) from error
        await super()._pass_gate()

    async def _refuse_other_names(self) -> None:
        """An image in the engine has more names than the one that the gate goes by.

        :raises ImageUnknown: the name means an image of ours, or is no name but an image's id.
        :raises SpecInvalid: it is no name at all.
        """
        if not _NAME.fullmatch(self.image):
            raise SpecInvalid("This is no image's name; write one such as registry/image:tag.")
        found = await self._inspect(self.image)
        if found is None or is_under(self.image, self._prefix):
            return
        names = [*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ())]
        hexadecimal = found["Id"].removeprefix(ID)
        by_id = hexadecimal.startswith(self.image.removeprefix(ID)) and not any(
            name.startswith((f"{self.image}:", f"{self.image}@")) for name in names
        )
        if by_id or any(is_under(name, self._prefix) for name in names):
            raise ImageUnknown(
                "An image of the image builder starts only from its repository, and every other "
                "one by its name: give one of them."
            )

    # -- the image

    def _use_image(self, image: str) -> None:
        """Let the server start from an image of ours, which is pinned.

        Without a registry in its name the engine itself built it, and knows it by its id.
        """
        name, _, digest = image.partition("@")
        registry, _ = split_prefix(name)
        self.image = image if registry else digest
        # the command of an image that repo2docker built is no server of JupyterHub
        self.cmd = self.cmd or [_SERVER]

    def get_env(self) -> Any:
        """DockerSpawner's own, with the whole name of an image of ours."""
        environment = super().get_env()
        if self._image_of_ours:
            environment["JUPYTER_IMAGE_SPEC"] = self._image_of_ours
        return environment

    def template_namespace(self) -> Any:
        """DockerSpawner's own; a digest's ``@`` is no part of a container's name."""
        namespace = super().template_namespace()
        return {**namespace, "imagename": namespace["imagename"].replace("@", "-")}

    async def pull_image(self, image: str) -> None:
        """Get the image, and a container of another one out of its way."""
        if self._image_of_ours:
            await self._pull(image)
        else:
            await super().pull_image(image)
        if self._is_container:
            await self._remove_other_container(image)

    async def _pull(self, image: str) -> None:
        from docker.errors import APIError

        if self.pull_policy == "skip" or await self._inspect(image) is not None:
            return
        if image.startswith(ID) or self.pull_policy == "never":
            raise ImageBuilderError(GONE, Reason.IMAGE_UNKNOWN)
        name, _, digest = image.partition("@")
        try:
            # the engine takes a digest where a tag is expected
            said = await self.docker("pull", name, digest)
        except APIError as error:
            said = said_by(error)
        if await self._inspect(image) is None:
            self.log.error("The engine did not pull %s: %s", image, said[-_SAID_LENGTH:])
            raise ImageBuilderError(
                "The image was built, but the engine cannot pull it: the hub's administrators "
                "have to look at the engine's login and the registry.",
                Reason.IMAGE_PULL,
            )

    async def _inspect(self, image: str) -> Mapping[str, Any] | None:
        """The engine's record of an image; None where it has none, or the name is no name."""
        from docker.errors import APIError

        try:
            found: Mapping[str, Any] = await self.docker("inspect_image", image)
        except APIError as error:
            if error.status_code in _NO_SUCH_IMAGE:
                return None
            raise
        return found

    # -- the start

    async def start(self) -> Any:
        """DockerSpawner's own, which ends with a sentence where the user's choice is at stake."""
        try:
            address = await super().start()
            await self._see_it_run(address)
        except ImageBuilderError:
            with self._refusals():
                raise
        except engine_errors() as error:
            failure = self._failure(error)
            if failure is None:
                raise
            self.log.warning("The engine, asked to start %s: %s", self.image, said_by(error))
            with self._refusals():
                raise failure from error
        return address

    def _failure(self, error: Exception) -> ImageBuilderError | None:
        """What to say of the engine's error; None where the image is the admin's own business."""
        if self._image_of_ours:
            return start_failure(error)
        return named_failure(error, self.image) if self._named else None
