"""What proves to a registry who we are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from jupyterhub_imagebuilder.errors import RegistryDenied


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who we are; no secret shows in its repr."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)  #: to be exchanged for access tokens
    registry_token: str = field(default="", repr=False)  #: an access token as it is


class CredentialsSource(Protocol):
    """Where credentials for one registry come from."""

    async def get(self) -> Credentials | None:
        """What is known now; None: there are none for this registry.

        :raises RegistryDenied: what is configured cannot be used.
        :raises RegistryUnavailable: it could not be read this time.
        """

    async def renew(self) -> Credentials | None:
        """As :meth:`get`, after the registry refused what that returned."""


class NoCredentials:
    """The registry is open, or takes anonymous look-ups."""

    async def get(self) -> Credentials | None:
        """None."""
        return None

    async def renew(self) -> Credentials | None:
        """None."""
        return None


def unusable(where: str, host: str, why: str) -> RegistryDenied:
    """What is configured as credentials cannot be used.

    :param where: what holds them: a file's path, or words.
    :param why: the end of the sentence.
    """
    return RegistryDenied(
        f"The credentials for the registry {host} in {where} {why}; "
        "please tell the administrator of this hub."
    )
