"""Files that the hub keeps for its service: nobody but the hub's user can read them."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from traitlets.log import get_logger

_TOKEN_FILE: Final = "service-token"  # noqa: S105  # a file's name
_TOKEN: Final = re.compile(r"[0-9a-f]{64}")
_OTHERS: Final = 0o077


@cache
def state_dir(wanted: Path) -> Path:
    """The directory to use: the wanted one, else one that lasts as long as this process.

    A second start of the hub finds the same token in it, so that its users stay logged in.
    """
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        _token_in(wanted)
    except OSError as error:
        instead = Path(tempfile.mkdtemp(prefix="imagebuilder-"))
        get_logger().warning(
            "c.ImageBuilder.state_dir: %s cannot be used (%s); using %s, which is lost with this "
            "process",
            wanted,
            error,
            instead,
        )
        return instead
    return wanted.resolve()


def service_token(directory: Path) -> str:
    """The service's API token, the same at every start of the hub.

    :raises OSError: it can neither be read nor written.
    """
    return _token_in(directory)


def _token_in(directory: Path) -> str:
    path = directory / _TOKEN_FILE
    if not path.exists():
        # linking fails where another process was faster: both then read the same token
        _write(directory, secrets.token_hex(32), lambda new: _link(new, path))
    if path.stat().st_mode & _OTHERS:
        path.chmod(0o600)
    token = path.read_text().strip()
    if not _TOKEN.fullmatch(token):
        write_private(path, secrets.token_hex(32))
        token = path.read_text().strip()
    return token


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all.

    :raises OSError: it cannot be written.
    """
    _write(path.parent, text, lambda new: new.replace(path))


def _write(directory: Path, text: str, publish: Callable[[Path], object]) -> None:
    descriptor, name = tempfile.mkstemp(dir=directory, prefix=".new-")  # mode 0600
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        publish(new)
    finally:
        new.unlink(missing_ok=True)


def _link(new: Path, path: Path) -> None:
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return
    except OSError:  # some file systems have no links
        new.replace(path)
