"""The registry that builds are pushed to, as the admin configures it."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from traitlets import Bool, Dict, Enum, Float, Unicode
from traitlets.config import LoggingConfigurable
from yarl import URL

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.errors import RegistryUnavailable
from jupyterhub_imagebuilder.registry.api import MANIFEST_TYPES, DistributionApi
from jupyterhub_imagebuilder.registry.auth import Authenticated
from jupyterhub_imagebuilder.registry.credentials import CredentialsSource, NoCredentials
from jupyterhub_imagebuilder.registry.docker_config import DOCKER_HUB
from jupyterhub_imagebuilder.registry.ecr import ElasticContainerRegistry
from jupyterhub_imagebuilder.registry.failures import Busy, Transient
from jupyterhub_imagebuilder.registry.google import GoogleCredentials
from jupyterhub_imagebuilder.registry.sources import (
    FileCredentials,
    PasswordFile,
    SecretCredentials,
)
from jupyterhub_imagebuilder.registry.tokens import Tokens
from jupyterhub_imagebuilder.registry.transport import Transport

__all__ = ["MANIFEST_TYPES", "DistributionRegistry"]

T = TypeVar("T")

#: Where the API is of what is called ``docker.io``.
_DOCKER_HUB_API = "registry-1.docker.io"
#: Mean seconds before the second and the third try; each is spread by half of itself.
_PAUSES = (0.4, 1.2)
#: Seconds that a registry may ask us to wait within one look-up.
_LONGEST_WAIT = 3.0

#: Names and tags as the distribution spec writes them.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class _Closing(Protocol):
    async def close(self) -> None: ...


class DistributionRegistry(LoggingConfigurable):
    """Looks images up in the registry that builds are pushed to.

    :param host: of the image prefix, with its port if it has one.
    :param read_credentials: returns the content of docker's ``config.json`` (None: there is
        none), where no ``credentials_file`` is set; asked again after a refusal, at most once a
        minute.
    """

    credentials_file = Unicode(
        "",
        help="""
        Path of a file in the form of docker's `config.json` with the credentials for the registry.

        It is read again when it changes. Credential helpers in it (`credHelpers`, `credsStore`)
        are asked where their program is installed beside this service. Without the file, and
        without a Secret, look-ups are anonymous.
        """,
    ).tag(config=True)

    username = Unicode(
        "",
        help="""
        User of the registry; the password is in `password_file`.

        Instead of a `credentials_file`, for a service of its own.
        """,
    ).tag(config=True)

    password_file = Unicode(
        "",
        help="Path of a file with the password, or the token, of `username`; nothing else in it.",
    ).tag(config=True)

    cloud = Enum(
        ["", "aws", "google"],
        default_value="",
        help="""
        The cloud whose machine identity is the credential for the registry.

        `aws`: for Amazon ECR; the password is renewed before it ends, and an image's repository
        is created before its first push. It takes the extra `jupyterhub-imagebuilder[ecr]`.
        `google`: for Artifact Registry; the token of the service account that this service runs
        as, from the metadata server. It comes before the other credentials.
        """,
    ).tag(config=True)

    ecr_repository = Dict(
        help="""
        Further arguments of CreateRepository for repositories that are created in Amazon ECR.

        Such as `{"tags": [{"Key": "team", "Value": "hub"}]}`, in the words of AWS's API.
        """,
    ).tag(config=True)

    ca_file = Unicode(
        "",
        help="""
        Path of a PEM file with the CA that signed the registry's certificate.

        Its certificates are trusted beside those of the system.
        """,
    ).tag(config=True)

    insecure = Bool(
        default_value=False,
        help="Speak to the registry over plain http. Credentials can then be read on the way.",
    ).tag(config=True)

    timeout = Float(
        10.0,
        min=0.01,
        help="""
        Seconds that one request to the registry may take.

        A request that fails is tried three times in all.
        """,
    ).tag(config=True)

    api_host = Unicode(
        "",
        help="""
        Host, with its port if it has one, at which the registry's API is asked.

        The default is the host of the image prefix (for `docker.io` the one of its API). Set it
        where nodes and this service reach one registry under different names.
        """,
    ).tag(config=True)

    def __init__(
        self,
        *,
        host: str,
        read_credentials: Callable[[], Awaitable[bytes | None]] | None = None,
        clock: Clock | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.host = host
        self._clock = clock or SystemClock()
        self._base = self._address()
        self._transport = Transport(
            host, ca_file=self.ca_file, timeout=self.timeout, clock=self._clock
        )
        self._tokens = Tokens(self._base, host, self._transport, self._clock)
        self._closing: list[_Closing] = [self._tokens, self._transport]
        self._ecr: ElasticContainerRegistry | None = None
        self._requests = Authenticated(
            host, self._transport, self._tokens, self._source(read_credentials)
        )
        self._api = DistributionApi(host, self._base, self._requests, self._transport, self._clock)

    async def digest(self, image: ImageName) -> str | None:
        """The digest of the image's manifest (or index), None when there is no such image.

        A name that no registry takes is a name of no image.

        :raises RegistryUnavailable: no answer after three tries, or one that says nothing.
        :raises RegistryDenied: our credentials are refused.
        """
        if not _is_name(image):
            return None
        return await self._patiently(partial(self._api.digest, image))

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:
        """Bytes of the image's compressed layers; None where it is not there, or does not say.

        :param platform: which image of an index is meant.
        :raises RegistryUnavailable: as :meth:`digest`.
        :raises RegistryDenied: our credentials are refused.
        """
        if not _is_name(image):
            return None
        return await self._patiently(partial(self._api.size, image, digest, platform))

    async def check(self) -> None:
        """Return when the registry answers and takes our credentials; raise as :meth:`digest`."""
        await self._patiently(self._api.check)

    async def prepare(self, image: ImageName) -> None:
        """Make sure that the image can be pushed, as far as that is ours: before each build.

        Most registries make a repository of what is pushed; Amazon's wants it made before.

        :raises RegistryUnavailable: no answer.
        :raises RegistryDenied: our credentials do not allow it.
        """
        if self._ecr is not None and _is_name(image):
            await self._patiently(partial(self._ecr.create, image.repository))

    async def remove(self, image: ImageName) -> None:
        """Delete the image's tag; gone already is fine.

        Where a registry deletes whole images only, the image goes, unless it has another tag.

        :raises RegistryUnavailable: no answer: the tag is there, or not.
        :raises RegistryDenied: the registry does not let us delete; the tag is still there.
        """
        if _is_name(image):
            remove = self._ecr.remove if self._ecr else self._api.remove
            await self._patiently(partial(remove, image))

    async def close(self) -> None:
        """End requests under way and close all connections."""
        for closing in self._closing:
            await closing.close()

    def _address(self) -> URL:
        scheme = "http" if self.insecure else "https"
        host = self.api_host or (_DOCKER_HUB_API if self.host in DOCKER_HUB else self.host)
        try:
            return URL.build(scheme=scheme, authority=host, path="/v2/")
        except ValueError as error:
            raise RegistryUnavailable(
                f"{host!r} is not the name of a registry's host; "
                "please tell the administrator of this hub."
            ) from error

    def _source(self, read: Callable[[], Awaitable[bytes | None]] | None) -> CredentialsSource:
        host, clock = self.host, self._clock
        if self.cloud == "aws":
            self._ecr = ElasticContainerRegistry(
                host, clock=clock, options=self.ecr_repository, timeout=self.timeout
            )
            self._closing.append(self._ecr)
            return self._ecr
        if self.cloud == "google":
            google = GoogleCredentials(host, clock=clock)
            self._closing.append(google)
            return google
        if self.credentials_file:
            return FileCredentials(self.credentials_file, host, clock=clock)
        if self.username or self.password_file:
            return PasswordFile(self.username, self.password_file, host)
        if read is not None:
            return SecretCredentials(read, host, clock=clock)
        return NoCredentials()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, up to three times where a failure may pass."""
        for pause in _PAUSES:
            # Spread, so that look-ups that failed together do not come back together.
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311
            try:
                return await work()
            except Transient as error:
                if isinstance(error, Busy) and error.wait > _LONGEST_WAIT:
                    raise
                wait = max(wait, getattr(error, "wait", 0.0))
                cause = error.__cause__
                self.log.warning(
                    "Trying again: %s %s", error.message, f"({cause})" if cause else ""
                )
            await self._clock.sleep(wait)
        return await work()


def _is_name(image: ImageName) -> bool:
    """Whether a registry can have an image of that name."""
    return bool(_REPOSITORY.fullmatch(image.repository) and _TAG.fullmatch(image.tag))
