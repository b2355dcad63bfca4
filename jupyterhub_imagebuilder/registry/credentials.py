"""Credentials for a registry, in the form that docker and Kubernetes keep them.

The format is docker's ``config.json``, which is also what a Secret of type
``kubernetes.io/dockerconfigjson`` holds: ``{"auths": {"<host>": {"auth": "<base64>"}}}``; see
``cli/config/types/authconfig.go`` of the docker CLI for the fields of an entry.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import ImageBuilderError, RegistryDenied, RegistryUnavailable

#: Names of Docker Hub: the first is ours, the others stand in configurations and as API host.
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
#: Seconds between two questions for a Secret.
_RENEWAL_INTERVAL = 60.0


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


class FileCredentials:
    """Reads ``config.json``, and again when it has changed: a mounted Secret is renewed."""

    def __init__(self, path: str, host: str) -> None:
        self._path = Path(path)
        self._host = host
        self._stamp: tuple[int, int, int] | None = None
        self._credentials: Credentials | None = None

    async def get(self) -> Credentials | None:
        """The file's entry for the host."""
        return self._read()

    async def renew(self) -> Credentials | None:
        """The same: the file is looked at each time."""
        return self._read()

    def _read(self) -> Credentials | None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp != self._stamp:
                data = self._path.read_bytes()
                self._credentials = find_credentials(data, self._host, str(self._path))
                self._stamp = stamp
        except OSError as error:
            raise _unusable(str(self._path), self._host, "cannot be read") from error
        return self._credentials


class SecretCredentials:
    """Asks for ``config.json`` once, and after a refusal again, at most once a minute.

    :param read: returns the file's content, None where there is none.
    """

    def __init__(
        self, read: Callable[[], Awaitable[bytes | None]], host: str, *, clock: Clock
    ) -> None:
        self._read = read
        self._host = host
        self._clock = clock
        self._lock = asyncio.Lock()
        self._asked: float | None = None
        self._data: bytes | None = None

    async def get(self) -> Credentials | None:
        """What the Secret said when it was last read."""
        async with self._lock:
            if self._asked is None:
                await self._ask()
            return self._find()

    async def renew(self) -> Credentials | None:
        """Read the Secret again, unless that was done within the last minute."""
        async with self._lock:
            if self._asked is None or self._clock.now() - self._asked >= _RENEWAL_INTERVAL:
                await self._ask()
            return self._find()

    async def _ask(self) -> None:
        now = self._clock.now()
        try:
            self._data = await self._read()
        except (ImageBuilderError, OSError) as error:
            raise RegistryUnavailable(
                f"The credentials for the registry {self._host} could not be read; "
                "please try again in a minute."
            ) from error
        self._asked = now

    def _find(self) -> Credentials | None:
        # Read from the content each time: one that is wrong is an error each time.
        if self._data is None:
            return None
        return find_credentials(self._data, self._host, "the Secret of the registry credentials")


def find_credentials(data: bytes, host: str, where: str) -> Credentials | None:
    """Find a registry's entry in the content of a ``config.json``.

    :param host: of the registry, with its port if it has one.
    :param where: the file's name, for the error's sentence.
    :raises RegistryDenied: the content is not of that format, or refers to a credential helper.
    """
    config = _load(data, host, where)
    auths = config.get("auths") or {}
    if not isinstance(auths, dict):
        raise _unusable(where, host, "have no object under 'auths'")
    for entry in _entries(auths, host):
        found = _from_entry(entry, host, where)
        if found != Credentials():
            return found
    if _helper(config, host):
        raise _unusable(where, host, "name a credential helper, which is not there to be asked")
    return None


def _load(data: bytes, host: str, where: str) -> dict[str, Any]:
    try:
        config = json.loads(data)
    except ValueError:
        # Not chained: the exception holds the content, secrets and all.
        raise _unusable(where, host, "are not JSON") from None
    if not isinstance(config, dict):
        raise _unusable(where, host, "are not a JSON object")
    return config


def _entries(auths: dict[str, Any], host: str) -> Iterator[dict[str, Any]]:
    """The entries for the host: the one of exactly its name, then other spellings."""
    keys = [key for key in auths if _canonical(key) == _canonical(host)]
    for key in sorted(keys, key=lambda key: key != host):
        if isinstance(auths[key], dict):
            yield auths[key]


def _canonical(key: str) -> str:
    """The host in a key; docker takes ``host``, ``https://host`` and ``https://host/v1/``."""
    host = key.split("://", 1)[-1].split("/", 1)[0].lower()
    return _DOCKER_HUB[0] if host in _DOCKER_HUB else host


def _from_entry(entry: dict[str, Any], host: str, where: str) -> Credentials:
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        try:
            decoded = base64.b64decode("".join(auth.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            raise _unusable(where, host, "have an 'auth' that is not base64") from None
        # The password may hold colons; docker pads it with NULs at times.
        username, _, password = decoded.partition(":")
        password = password.strip("\x00")
    return Credentials(
        username=username if password else "",
        password=password,
        identity_token=_text(entry, "identitytoken"),
        registry_token=_text(entry, "registrytoken"),
    )


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _helper(config: dict[str, Any], host: str) -> bool:
    helpers = config.get("credHelpers")
    named = isinstance(helpers, dict) and any(_canonical(k) == _canonical(host) for k in helpers)
    return named or bool(config.get("credsStore"))


def _unusable(where: str, host: str, why: str) -> RegistryDenied:
    return RegistryDenied(
        f"The credentials for the registry {host} in {where} {why}; "
        "please tell the administrator of this hub."
    )
