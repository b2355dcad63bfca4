"""Runs git: no shell, no configuration but ours, no question to anyone, and never for ever.

The only file of the package that starts it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import signal
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: What git may print, in bytes: refs of a repository that has half a million of them.
_OUTPUT_LIMIT = 64 * 1024 * 1024
_MESSAGE_LIMIT = 64 * 1024
_CHUNK = 64 * 1024
#: Seconds between two looks at the size of the folder.
_SIZE_INTERVAL = 0.2

_ORIGIN = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+/")

#: What of our environment git needs to reach the network.
_NETWORK = (
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
)

#: Settings that hold for every call.  Git would follow a redirect to any address: it does not go
#: through the door.
_SETTINGS = (
    "http.followRedirects=false",
    "credential.helper=",
    "core.gitProxy=",
    "core.hooksPath=/dev/null",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "transfer.bundleURI=false",
)


class GitMissingError(Exception):
    """There is no git program on PATH."""


class GitFailedError(Exception):
    """Git ended with an error.

    :param messages: what it said on standard error.
    :param cut: it wanted to write more than it may, on disk or to us.
    """

    def __init__(self, messages: str, *, cut: bool = False) -> None:
        super().__init__(messages)
        self.messages = messages
        self.cut = cut


@dataclass(frozen=True, slots=True)
class Login:
    """A password that git sends to one host."""

    origin: str  #: ``https://host/`` or ``https://host:port/``; the only one it is sent to
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GitFolder:
    """An empty folder in which git runs, and what it runs with."""

    path: Path
    environment: Mapping[str, str]
    settings: Sequence[str] = ()
    size_limit: int | None = None  #: bytes that may be in the folder

    async def run(self, *arguments: str) -> str:
        """Run ``git <arguments>`` and return what it printed.

        Cancelling it kills git and all that it started.

        :raises GitFailedError: it did not succeed.
        :raises GitMissingError: it is not there.
        """
        options = [part for setting in (*_SETTINGS, *self.settings) for part in ("-c", setting)]
        process = await self._start([*options, *arguments])
        watcher = asyncio.create_task(self._stop_when_large(process))
        try:
            async with asyncio.TaskGroup() as readers:
                output = readers.create_task(_read(process.stdout, _OUTPUT_LIMIT))
                messages = readers.create_task(_read(process.stderr, _MESSAGE_LIMIT))
            code = await process.wait()
        finally:
            await _end(process)
            watcher.cancel()
            await asyncio.wait([watcher])
        text, cut = output.result()
        cut = cut or not watcher.cancelled()
        if code != 0 or cut:
            raise GitFailedError(messages.result()[0], cut=cut)
        return text

    async def _start(self, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                "git",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self.path,
                env=dict(self.environment),
                # A process group of its own, so that its helpers die with it.
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # asyncio itself would kill git alone, and wait for its helpers.
            with contextlib.suppress(OSError):
                await _end(await starting)
            raise
        except (FileNotFoundError, PermissionError) as error:
            raise GitMissingError(str(error)) from error

    async def _stop_when_large(self, process: asyncio.subprocess.Process) -> None:
        """Kill git once the folder holds more than it may; without a limit never return.

        A resource limit would come too late for what git has started by then.
        """
        # Nobody tells when a folder grows: it has to be looked at.
        while self.size_limit is None or _size(self.path) <= self.size_limit:  # noqa: ASYNC110
            await asyncio.sleep(_SIZE_INTERVAL)
        _kill(process)


@contextlib.contextmanager
def git_folder(
    protocols: Iterable[str],
    timeout: float,
    settings: Sequence[str] = (),
    size_limit: int | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    login: Login | None = None,
    ca_file: str = "",
) -> Iterator[GitFolder]:
    """Make a temporary folder to run git in; it goes when the block ends.

    :param protocols: those over which git may talk.
    :param timeout: seconds after which git gives up a transfer that stands still.
    :param environment: further variables.
    :param login: for one host.
    :param ca_file: path of CA certificates that are trusted beside the system's.
    :raises OSError: they cannot be read.
    """
    with tempfile.TemporaryDirectory(
        prefix="imagebuilder-git-", ignore_cleanup_errors=True
    ) as name:
        variables = _environment(name, protocols, timeout) | dict(environment or {})
        if login is not None:
            variables["GIT_CONFIG_GLOBAL"] = str(_write_login(Path(name), login))
        if ca_file:
            variables["GIT_SSL_CAINFO"] = str(_write_cas(Path(name), variables, ca_file))
        yield GitFolder(Path(name), variables, settings, size_limit)


def _environment(home: str, protocols: Iterable[str], timeout: float) -> dict[str, str]:
    ours = os.environ
    environment = {name: ours[name] for name in _NETWORK if ours.get(name)}
    # git's curl may be built with a TLS library that does not read SSL_CERT_FILE.
    if "SSL_CERT_FILE" in environment:
        environment.setdefault("GIT_SSL_CAINFO", environment["SSL_CERT_FILE"])
    return environment | {
        "PATH": ours.get("PATH", os.defpath),
        "HOME": home,
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        # Empty: there is no program that answers, and none of the other settings is looked at.
        "GIT_ASKPASS": "",
        "GIT_CEILING_DIRECTORIES": str(Path(home).parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": str(max(1, round(timeout))),
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _write_login(folder: Path, login: Login) -> Path:
    """Write the settings that carry the login: arguments and variables can be seen by others."""
    if not _ORIGIN.fullmatch(login.origin):
        raise ValueError("not an origin")
    coded = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    path = folder / "login.gitconfig"
    path.touch(mode=0o600)
    # Neither part can hold what ends a quoted text.
    path.write_text(
        f'[http "{login.origin}"]\n\textraHeader = "Authorization: Basic {coded}"\n',
        encoding="ascii",
    )
    return path


def _write_cas(folder: Path, environment: Mapping[str, str], ca_file: str) -> Path:
    """Write one file of all CAs: git's setting would put ours in the place of the system's."""
    system = environment.get("GIT_SSL_CAINFO") or ssl.get_default_verify_paths().cafile
    path = folder / "ca.pem"
    with path.open("wb") as bundle:
        for source in (system, ca_file):
            if source:
                bundle.write(Path(source).read_bytes() + b"\n")
    return path


async def _read(stream: asyncio.StreamReader | None, limit: int) -> tuple[str, bool]:
    """Read to the end, keep at most ``limit`` bytes, and say whether that was not all."""
    kept = bytearray()
    cut = False
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        cut = cut or len(kept) + len(chunk) > limit
        kept += chunk[: limit - len(kept)]
    return kept.decode(errors="replace"), cut


def _size(folder: Path) -> int:
    """Bytes in the folder: a bare repository without files has few of its own."""
    total = 0
    for folder_name, _, names in os.walk(folder):
        for name in names:
            # git renames and removes its temporary files meanwhile
            with contextlib.suppress(FileNotFoundError):
                total += Path(folder_name, name).lstat().st_size
    return total


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill git and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    _kill(process)
    await process.wait()
