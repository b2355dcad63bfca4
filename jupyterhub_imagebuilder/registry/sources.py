"""Where the credentials for a registry are kept: files, a Secret of Kubernetes, helpers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.errors import ImageBuilderError, RegistryUnavailable
from jupyterhub_imagebuilder.registry import helpers
from jupyterhub_imagebuilder.registry.credentials import Credentials, unusable
from jupyterhub_imagebuilder.registry.docker_config import find_credentials
from jupyterhub_imagebuilder.registry.helpers import Helper

#: Seconds between two questions for a Secret, and to a helper after a refusal.
_RENEWAL_INTERVAL = 60.0
#: Seconds for which a helper's answer is used: well below what is left of a cloud's tokens.
_HELPED = 300.0
#: Seconds for which a helper that failed is left alone.
_FAILED = 10.0


class _Helped:
    """What helpers said, kept for a while: each answer is a program that runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._helper: Helper | None = None
        self._asked = float("-inf")
        self._said: Credentials | None = None
        self._failure: ImageBuilderError | None = None

    async def get(self, found: Credentials | Helper | None) -> Credentials | None:
        """The credentials, or those of the helper."""
        return await self._get(found, _HELPED)

    async def renew(self, found: Credentials | Helper | None) -> Credentials | None:
        """As :meth:`get`, after a refusal."""
        return await self._get(found, _RENEWAL_INTERVAL)

    async def _get(self, found: Credentials | Helper | None, age: float) -> Credentials | None:
        if not isinstance(found, Helper):
            return found
        async with self._lock:
            age = _FAILED if self._failure else age
            if found != self._helper or self._clock.now() - self._asked >= age:
                await self._ask(found)
            if self._failure:
                raise type(self._failure)(self._failure.message) from self._failure
            return self._said

    async def _ask(self, helper: Helper) -> None:
        self._said = self._failure = None
        try:
            self._said = await helpers.ask(helper)
        except ImageBuilderError as error:
            self._failure = error
        self._helper, self._asked = helper, self._clock.now()


class PasswordFile:
    """A user whose password stands in a file of its own; read each time, it may be renewed."""

    def __init__(self, username: str, path: str, host: str) -> None:
        self._username = username
        self._path = Path(path)
        self._host = host

    async def get(self) -> Credentials | None:
        """The user and the file's content, without white space around it."""
        try:
            password = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(str(self._path), self._host, "cannot be read") from error
        if not password:
            raise unusable(str(self._path), self._host, "are empty")
        return Credentials(self._username, password)

    async def renew(self) -> Credentials | None:
        """The same."""
        return await self.get()


class FileCredentials:
    """Reads ``config.json``, and again when it has changed: a mounted Secret is renewed."""

    def __init__(self, path: str, host: str, *, clock: Clock | None = None) -> None:
        self._path = Path(path)
        self._host = host
        self._stamp: tuple[int, int, int] | None = None
        self._found: Credentials | Helper | None = None
        self._helped = _Helped(clock or SystemClock())

    async def get(self) -> Credentials | None:
        """The file's entry for the host, or what its helper says."""
        return await self._helped.get(self._read())

    async def renew(self) -> Credentials | None:
        """The same: the file is looked at each time."""
        return await self._helped.renew(self._read())

    def _read(self) -> Credentials | Helper | None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp != self._stamp:
                data = self._path.read_bytes()
                self._found = find_credentials(data, self._host, str(self._path))
                self._stamp = stamp
        except OSError as error:
            raise unusable(str(self._path), self._host, "cannot be read") from error
        return self._found


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
        self._helped = _Helped(clock)

    async def get(self) -> Credentials | None:
        """What the Secret said when it was last read."""
        async with self._lock:
            if self._asked is None:
                await self._ask()
            return await self._helped.get(self._find())

    async def renew(self) -> Credentials | None:
        """Read the Secret again, unless that was done within the last minute."""
        async with self._lock:
            if self._asked is None or self._clock.now() - self._asked >= _RENEWAL_INTERVAL:
                await self._ask()
            return await self._helped.renew(self._find())

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

    def _find(self) -> Credentials | Helper | None:
        # Read from the content each time: one that is wrong is an error each time.
        if self._data is None:
            return None
        return find_credentials(self._data, self._host, "the Secret of the registry credentials")
