"""Which image a server may start from: one decision, on every path that starts one.

A client's word is never an image of ours: a repository becomes the digest that the service gives
for it, and an image name under our prefix that came from a free text has to be vouched for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.naming import split_prefix
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageUnknown, ServiceUnavailable
from jupyterhub_imagebuilder.hub.client import BuildAnswer, pinned
from jupyterhub_imagebuilder.hub.profile import Build, OtherImage, Selection
from jupyterhub_imagebuilder.hub.waiting import failed, still_building

_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_DOCKER_HUB = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


class Service(Protocol):
    """The part of the service's client that the gate needs."""

    async def start_build(self, text: str, owner: Owner, commit: str | None = None) -> BuildAnswer:
        """Find, start or join a build."""

    async def vouch(self, image: str, owner: Owner) -> str:
        """The pinned name of an image that a build of this user's stands behind."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An image of ours that the server starts from."""

    image: str  #: ``repository@sha256:…``
    commit: str | None = None


async def admit(
    chosen: Selection,
    image: str,
    owner: Owner,
    service: Service,
    *,
    prefix: str = "",
    known: BuildAnswer | None = None,
) -> Admitted | None:
    """Decide on a start.

    :param image: what the profile's rules made of the choice.
    :param owner: whose server it is, whoever started it.
    :param prefix: of the images that the service builds; empty where there is none.
    :param known: what the wait for this very choice ended with.
    :returns: None where the image is the admin's own business.
    :raises ImageBuilderError: no; the sentence says why.
    """
    match chosen:
        case Build(text, commit):
            answer = known or await service.start_build(text, owner, commit)
            return Admitted(_digest_of(answer), answer.commit)
        case OtherImage() if is_under(image, prefix):
            if not _PINNED.fullmatch(image):
                raise ImageUnknown(
                    "An image of the image builder starts only by its digest; "
                    "give the repository's address instead."
                )
            vouched = await service.vouch(image, owner)
            if not _PINNED.fullmatch(vouched):
                raise ServiceUnavailable("The image builder gave an answer that cannot be read.")
            return Admitted(vouched)
    return None


def _digest_of(answer: BuildAnswer) -> str:
    if not answer.phase.terminal:
        raise still_building("it began only now")
    if answer.phase is not Phase.BUILT:
        raise failed(answer)
    image = pinned(answer.image, answer.digest)
    if image is None:
        raise ServiceUnavailable("The image builder named no digest; try again in a minute.")
    return image


def is_under(image: str, prefix: str) -> bool:
    """Whether an image name is one of those that the service builds, however it is spelled.

    >>> is_under("Registry.example.org:443/team/hello", "registry.example.org/team/")
    True
    """
    return bool(prefix) and _normal(image).startswith(_normal(prefix))


def _normal(name: str) -> str:
    """Registries answer to several spellings of their name, and so do container runtimes."""
    host, path = split_prefix(name.strip())
    host = re.sub(r":(443|80)$", "", host.lower())
    if host in ("", "docker.io", *_DOCKER_HUB):
        host = "docker.io"
        path = path.removeprefix("library/")
    return f"{host}/{path}"
