"""What was pushed, read back from the registry: only its answer makes an image of a build."""

from __future__ import annotations

import logging

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock, Registry
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    Reason,
    RegistryDenied,
    RegistryUnavailable,
)

log = logging.getLogger(__name__)


async def pushed(registry: Registry, image: ImageName) -> str | None:
    """The digest of what was just pushed; None leaves the question to the build's end."""
    try:
        return await registry.digest(image, fresh=True)
    except (RegistryUnavailable, RegistryDenied) as error:
        log.info("%s: cannot be read back yet: %s", image, error.message)
        return None


async def confirmed(registry: Registry, image: ImageName, clock: Clock, patience: float) -> str:
    """The digest of what a finished build pushed.

    :param patience: seconds that a registry may need until the image can be read back.
    :raises BuildFailed: it is not there by then.
    :raises RegistryUnavailable: no answer by then.
    :raises RegistryDenied: our credentials are refused.
    """
    deadline = clock.now() + patience
    delay = 0.1
    while True:
        try:
            digest = await registry.digest(image, fresh=True)
        except RegistryUnavailable:
            if clock.now() >= deadline:
                raise
        else:
            if digest is not None:
                return digest
            if clock.now() >= deadline:
                raise BuildFailed(
                    "The image was built, but it cannot be read back from the registry.",
                    Reason.PUSH_FAILED,
                )
        await clock.sleep(delay)
        delay = min(delay * 2, 2.0)
