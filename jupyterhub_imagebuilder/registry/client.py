"""Client of a registry that speaks the OCI distribution API.

The API is that of https://github.com/opencontainers/distribution-spec (end-1 and end-3).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from traitlets import Bool, Float, Unicode
from traitlets.config import LoggingConfigurable
from yarl import URL

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.auth import Authenticated, Request
from jupyterhub_imagebuilder.registry.credentials import (
    CredentialsSource,
    FileCredentials,
    NoCredentials,
    SecretCredentials,
)
from jupyterhub_imagebuilder.registry.tokens import Tokens, denied
from jupyterhub_imagebuilder.registry.transport import Answer, Transient, Transport

T = TypeVar("T")

#: Whichever of these an engine pushed: a registry calls absent what it may not send.
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
#: Where the API is, for names that stand for another host.
_API_HOSTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
#: Mean seconds before the second and the third try; each is spread by half of itself.
_PAUSES = (0.4, 1.2)
#: Seconds for which "there is a registry at this address" is believed.
_CONFIRMATION = 60.0

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: Names and tags as the distribution spec writes them.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


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

        It is read again when it changes. Without it, and without a Secret, look-ups are anonymous.
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
        self._transport = Transport(host, ca_file=self.ca_file, timeout=self.timeout)
        self._tokens = Tokens(self._base, host, self._transport, self._clock)
        source = self._source(read_credentials)
        self._requests = Authenticated(host, self._transport, self._tokens, source)
        self._confirmed = float("-inf")

    async def digest(self, image: ImageName) -> str | None:
        """The digest of the image's manifest (or index), None when there is no such image.

        A name that no registry takes is a name of no image.

        :raises RegistryUnavailable: no answer after three tries, or one that says nothing.
        :raises RegistryDenied: our credentials are refused.
        """
        if not _REPOSITORY.fullmatch(image.repository) or not _TAG.fullmatch(image.tag):
            return None
        return await self._patiently(partial(self._digest, image))

    async def check(self) -> None:
        """Return when the registry answers and takes our credentials; raise as :meth:`digest`."""
        await self._patiently(self._check)

    async def close(self) -> None:
        """End requests under way and close all connections."""
        await self._tokens.close()
        await self._transport.close()

    def _address(self) -> URL:
        scheme = "http" if self.insecure else "https"
        host = self.api_host or _API_HOSTS.get(self.host, self.host)
        try:
            return URL.build(scheme=scheme, authority=host, path="/v2/")
        except ValueError as error:
            raise RegistryUnavailable(
                f"{host!r} is not the name of a registry's host; "
                "please tell the administrator of this hub."
            ) from error

    def _source(self, read: Callable[[], Awaitable[bytes | None]] | None) -> CredentialsSource:
        if self.credentials_file:
            return FileCredentials(self.credentials_file, self.host)
        if read is not None:
            return SecretCredentials(read, self.host, clock=self._clock)
        return NoCredentials()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, up to three times where a failure may pass."""
        for pause in _PAUSES:
            try:
                return await work()
            except Transient as error:
                cause = error.__cause__
                self.log.warning(
                    "Trying again: %s %s", error.message, f"({cause})" if cause else ""
                )
            # Spread, so that look-ups that failed together do not come back together.
            await self._clock.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        return await work()

    async def _digest(self, image: ImageName) -> str | None:
        answer = await self._manifest("HEAD", image)
        if answer.status == HTTPStatus.OK:
            digest = answer.headers.get("Docker-Content-Digest", "")
            if _DIGEST.fullmatch(digest):
                return digest
        if answer.status in (HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED):
            answer = await self._manifest("GET", image)
        if answer.status == HTTPStatus.OK:
            return self._hash(answer.body)
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._confirm()
            return None
        if answer.status == HTTPStatus.UNAUTHORIZED:
            # What Docker Hub says of a repository that is not there, if the login as such works.
            await self._check()
            return None
        raise self._unexpected(answer.status)

    async def _manifest(self, method: str, image: ImageName) -> Answer:
        url = self._base.joinpath(*image.repository.split("/"), "manifests", image.tag)
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        return await self._requests.send(Request(method, url, image.repository, headers))

    async def _check(self) -> None:
        answer = await self._requests.send(Request("GET", self._base, ""))
        if answer.status != HTTPStatus.OK:
            raise self._unexpected(answer.status)
        self._confirmed = self._clock.now()

    async def _confirm(self) -> None:
        """Make sure that "not found" was said by a registry, not by a proxy without one."""
        if self._clock.now() - self._confirmed < _CONFIRMATION:
            return
        answer = await self._transport.send("GET", self._base, headers={})
        if answer.status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._unexpected(answer.status)
        self._confirmed = self._clock.now()

    def _hash(self, body: bytes) -> str:
        """The digest of a manifest, which is that of its bytes."""
        try:
            manifest = json.loads(body)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:  # noqa: PLR2004
            raise RegistryUnavailable(
                f"What answers as the registry {self.host} sends something other than an image; "
                "please tell the administrator of this hub."
            )
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _unexpected(self, status: int) -> RegistryDenied | RegistryUnavailable:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return denied(self.host)
        return RegistryUnavailable(
            f"What answers as the registry {self.host} does not behave like one ({status}); "
            "please tell the administrator of this hub."
        )
