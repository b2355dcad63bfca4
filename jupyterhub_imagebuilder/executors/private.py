"""Builds of private repositories: the login that fetches one, and where its files go.

The login is only where :mod:`fetcher` runs.  What builds has a copy of the repository, which git
takes for the repository's address, and no login.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Protocol

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import BuildFailed, ImageBuilderError, Reason
from jupyterhub_imagebuilder.executors import fetcher

#: Folder of the login, where there is one; and of the copy.
LOGIN_FOLDER = "/imagebuilder-login"
FETCHED_FOLDER = "/imagebuilder-fetched"

#: What a quoted name in git's configuration can hold without an escape.
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


class CloneLogin(Protocol):
    """What a provider says of a private repository that may be built."""

    @property
    def address(self) -> str:
        """Where git reads it: ``https://…``."""

    @property
    def user(self) -> str:
        """Name of the login."""

    @property
    def password(self) -> str:
        """The token."""

    @property
    def ca_file(self) -> str:
        """Path of CA certificates beside the system's; may be empty."""


#: The login for a repository; None for what is read without one.
LoginOf = Callable[[RepoSpec], CloneLogin | None]


@dataclass(frozen=True, slots=True)
class Private:
    """How one private repository is fetched."""

    address: str
    ref: str  #: beyond branches and tags; may be empty
    files: Mapping[str, bytes] = field(repr=False)  #: of the folder of the login, by their names

    def command(self) -> list[str]:
        """The program that fetches, up to the command that follows, if any."""
        program = resources.files(__package__).joinpath("fetcher.py").read_text(encoding="utf-8")
        # -I: nothing in the image's working directory may stand in for the standard library
        words = [LOGIN_FOLDER, self.address, self.ref, FETCHED_FOLDER]
        return ["python3", "-I", "-c", program, *words]


def private_of(spec: RepoSpec, login_of: LoginOf) -> Private | None:
    """How to fetch a repository, if that takes a login.

    :raises BuildFailed: it does, and the login cannot be read.
    """
    try:
        login = login_of(spec)
        if login is None:
            return None
        files = {fetcher.CONFIG: git_config(login)}
        if login.ca_file:
            files[fetcher.CA] = Path(login.ca_file).read_bytes()
    except ImageBuilderError as error:
        raise BuildFailed(error.message, error.reason) from error
    except OSError as error:
        raise BuildFailed(
            "The certificates of the repository's host cannot be read: the administrator of this"
            " hub has to look at ca_file.",
            Reason.PROVIDER_UNAVAILABLE,
        ) from error
    ref = spec.ref if spec.ref.startswith("refs/") else ""
    return Private(login.address, ref, files)


def git_config(login: CloneLogin) -> bytes:
    """Configuration of git that logs in to this repository, and to nothing else of its host.

    :raises BuildFailed: the address is none that a login goes to.
    """
    if not _ADDRESS.fullmatch(login.address):
        raise BuildFailed(
            "A private repository is read over https alone.", Reason.PROVIDER_UNAVAILABLE
        )
    coded = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    text = f'[http "{login.address}"]\n\textraHeader = "Authorization: Basic {coded}"\n'
    return text.encode("ascii")
