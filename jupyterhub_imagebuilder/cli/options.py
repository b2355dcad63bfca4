"""What the command line says, read and checked.  Nothing here connects to anything."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

TOKEN_VARIABLE: Final = "JUPYTERHUB_API_TOKEN"  # noqa: S105 -- a name
#: ``gh/org/repo/ref``; a host's name, which has a dot, is none of these.
_SHORT: Final = re.compile(r"[a-z][a-z0-9]*/")
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_EPILOG = """\
The token is read from the environment variable JUPYTERHUB_API_TOKEN or from --token-file.

exit codes: 0 all images are there; 1 a build failed; 2 the command or a repository was refused;
3 the service cannot be reached; 130 interrupted (143: ended)
"""


class UsageError(Exception):
    """The command cannot be meant; the text is the user's sentence."""


@dataclass(frozen=True, slots=True)
class Options:
    """One call of the command."""

    url: str  #: of the service, with a slash at its end
    repositories: tuple[str, ...]  #: as they were written, each once
    token: str = field(repr=False)
    json: bool = False
    quiet: bool = False
    cancel_on_interrupt: bool = False
    patience: float = 300.0  #: seconds for which the service may be away


def read(argv: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Read the words behind ``build``.

    :raises UsageError: they cannot be meant.
    :raises SystemExit: argparse's own, for ``--help`` (0) and what it refuses (2).
    """
    words = _parser().parse_args(argv)
    repositories = list(words.repository)
    if words.file is not None:
        repositories += _listed(words.file)
    if not repositories:
        raise UsageError("Name a repository, or a file with a list of them by --file.")
    return Options(
        url=_service_url(words),
        repositories=tuple(dict.fromkeys(repositories)),
        token=_token(words.token_file, environment),
        json=words.json,
        quiet=words.quiet,
        cancel_on_interrupt=words.cancel_on_interrupt,
        patience=words.patience,
    )


def as_sent(text: str) -> str:
    """What the service is asked for: ``gh/org/repo/ref`` is a spec, all else what people paste."""
    text = text.strip()
    return f"build:{text}" if "://" not in text and _SHORT.match(text) else text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jupyterhub-imagebuilder build",
        description="Build the images of repositories, unless they are there already.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "repository",
        nargs="*",
        help="gh/org/repo/ref, or what one pastes: https://host/org/repo@ref, a DOI, …",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--hub", metavar="URL", help="address of the hub that has the service")
    where.add_argument("--url", metavar="URL", help="address of the service itself")
    add("--service", metavar="NAME", help="the service's name on the hub (default: imagebuilder)")
    add("--token-file", metavar="PATH", type=Path, help="file with the token")
    add("--file", metavar="PATH", help="file with a repository on each line; - is standard input")
    add("--json", action="store_true", help="one JSON document at the end; the log to stderr")
    add("--quiet", action="store_true", help="no log and no stages, only images and failures")
    add("--cancel-on-interrupt", action="store_true", help="Ctrl-C cancels the builds, too")
    add(
        "--patience",
        metavar="SECONDS",
        type=_seconds,
        default=300.0,
        help="how long the service may be away (default: 300)",
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _listed(path: str) -> list[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"The list {path} cannot be read: {_why(error)}.") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _service_url(words: argparse.Namespace) -> str:
    if words.url is not None:
        if words.service is not None:
            raise UsageError("--service belongs to --hub: --url is the address of the service.")
        return _checked(words.url)
    base = _checked(words.hub)
    # what a browser shows of a hub ends so
    base = re.sub(r"(?<=/)hub/(?:home/)?$", "", base)
    return f"{base}services/{quote(words.service or 'imagebuilder', safe='')}/"


def _checked(url: str) -> str:
    """The address with a slash at its end."""
    try:
        split = urlsplit(url)
        host, _ = split.hostname, split.port
    except ValueError as error:
        raise UsageError("The address of the hub or the service is not valid.") from error
    if split.scheme not in {"https", "http"} or not host:
        raise UsageError("The address of the hub or the service has to begin with https://.")
    if "@" in split.netloc or split.query or split.fragment:
        raise UsageError(
            "The address of the hub or the service may hold no login, and no '?' or '#'."
        )
    return f"{url.rstrip('/')}/"


def exposed(url: str) -> bool:
    """Whether a token goes to that address in plain text, over a network."""
    split = urlsplit(url)
    return split.scheme == "http" and split.hostname not in _LOCAL


def _token(path: Path | None, environment: Mapping[str, str]) -> str:
    if path is None:
        token, source = environment.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
        if not token:
            raise UsageError(f"Put a token into {TOKEN_VARIABLE}, or name a file by --token-file.")
    else:
        source = str(path)
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"The token file {path} cannot be read: {_why(error)}.") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"What {source} holds is no token.")
    return token


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is no text"
