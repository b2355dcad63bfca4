"""Docker's credential helpers: programs that are asked for a password.

``docker-credential-<name> get`` reads a host from its input and writes
``{"ServerURL": …, "Username": …, "Secret": …}``, or fails with a sentence on its output; see
https://github.com/docker/docker-credential-helpers.  The user ``<token>`` means an identity token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from dataclasses import dataclass

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.credentials import Credentials

#: Seconds that a helper may take: some ask a cloud's metadata server first.
TIME_LIMIT = 20.0
#: Bytes of an answer: the longest tokens have a few thousand.
_ANSWER_LIMIT = 64 * 1024
#: What helpers say where they know no such host (``credentials/error.go`` of their library).
_NOT_FOUND = b"credentials not found in native keychain"
#: A name, never a path or an option.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN_USER = "<token>"  # noqa: S105  # a convention's word


@dataclass(frozen=True, slots=True)
class Helper:
    """A program that ``config.json`` names for a registry."""

    name: str  #: ``ecr-login``; the program is ``docker-credential-ecr-login``
    server: str  #: what the program is asked for

    @property
    def program(self) -> str:
        """The program's name."""
        return f"docker-credential-{self.name}"


async def ask(helper: Helper, *, limit: float = TIME_LIMIT) -> Credentials | None:
    """Run the helper; None where it has nothing for the server.

    It runs with our environment, because that is where it finds its own settings, and with no
    shell.

    :param limit: seconds that it may take.
    :raises RegistryDenied: the helper is not there, or says something else than credentials.
    :raises RegistryUnavailable: it does not come back in time.
    """
    found = shutil.which(helper.program) if _NAME.fullmatch(helper.name) else None
    if found is None:
        raise _unusable(helper, "which is not installed beside the image builder")
    try:
        process = await asyncio.create_subprocess_exec(
            found,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _unusable(helper, "which cannot be started") from error
    try:
        async with asyncio.timeout(limit):
            output = await _talk(process, f"{helper.server}\n".encode())
            if len(output) > _ANSWER_LIMIT:
                raise _unusable(helper, "which says more than credentials")
            code = await process.wait()
    except TimeoutError as error:
        raise RegistryUnavailable(
            f"The credential helper {helper.program} does not answer; "
            "please try again in a few minutes."
        ) from error
    finally:
        await _end(process)
    return _read(helper, code, output)


async def _talk(process: asyncio.subprocess.Process, question: bytes) -> bytes:
    """Ask; the answer, cut off behind its limit."""
    assert process.stdin is not None  # noqa: S101  # both are pipes
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(OSError):  # it may answer without listening
        process.stdin.write(question)
        await process.stdin.drain()
        process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(_ANSWER_LIMIT):
        output += chunk
        if len(output) > _ANSWER_LIMIT:
            break
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a helper that goes on, with what it started itself."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _read(helper: Helper, code: int, output: bytes) -> Credentials | None:
    if code != 0:
        if _NOT_FOUND in output:
            return None
        # what it said can hold secrets: it is not passed on
        raise _unusable(helper, f"which failed (exit code {code})")
    try:
        answer = json.loads(output)
    except ValueError:
        answer = None  # the exception would hold the output
    user, secret = (
        (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    )
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        raise _unusable(helper, "which answers with something other than credentials")
    if user == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(user, secret)


def _unusable(helper: Helper, why: str) -> RegistryDenied:
    return RegistryDenied(
        f"The credentials for the registry {helper.server} come from the credential helper "
        f"{helper.name!r}, {why}; please tell the administrator of this hub."
    )
