"""What fetches a private repository before its build, so that the build never holds its login.

The source of this file is a command (``python3 -c``), as that of :mod:`entrypoint`.  Standard
library only, Python 3.9 and later.  It ends well even where git does not: the build has the log,
and says what was wrong.

Arguments: the folder of the login, the repository's address, a ref beyond branches and tags (or
nothing, ``''``), the folder to fill; behind them, a command to turn into afterwards.
Environment: ``IMAGEBUILDER_DEADLINE`` (seconds that git may take; none: for ever).
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

#: In the folder of the login: git's configuration, which holds it, and further CA certificates.
CONFIG = "gitconfig"
CA = "ca.pem"
#: In the folder that is filled: a bare repository, what git said, and what was wrong, if anything.
REPOSITORY = "repository"
LOG = "log"
ERROR = "error"

REFUSED = (
    "The private repository is not there any more, or the token of this hub's image builder may not"
    " read it: an admin has to look at the token's permissions."
)
MOVED = (
    "The host sends the build of the private repository to another address, where its token does"
    " not go: give the repository by the address that it has now."
)
NO_ANSWER = (
    "The host of the private repository does not answer the build, or its certificate is not"
    " trusted there: an admin has to look at it."
)
TOO_LONG = "The private repository took too long to fetch."

_MEANINGS = (
    (re.compile(r"returned error: 30[12378]\b|unable to update url base"), MOVED),
    (
        re.compile(
            r"returned error: (?:401|403|404|410)\b|Authentication failed|could not read Username"
            r"|repository .* not found|couldn't find remote ref",
        ),
        REFUSED,
    ),
    (
        re.compile(
            r"Could not resolve|Failed to connect|Couldn't connect|Connection refused|timed out"
            r"|[Cc]ertificate|SSL|TLS|returned error: 5[0-9][0-9]\b|Operation too slow"
        ),
        NO_ANSWER,
    ),
)
#: git follows no redirect with a login, asks nobody, and gives up a transfer that stands still.
_SETTINGS = (
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "credential.helper=",
    "transfer.bundleURI=false",
    "gc.auto=0",
)


def environment(login: Path, scratch: Path) -> dict[str, str]:
    """In which git runs: the login is in a file that only git's setting names."""
    variables = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": str(login / CONFIG),
        "GIT_ALLOW_PROTOCOL": "https",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "LC_ALL": "C",
    }
    if (login / CA).exists():
        # git's setting would put ours in the place of the system's
        system = os.environ.get("GIT_SSL_CAINFO") or ssl.get_default_verify_paths().cafile
        bundle = scratch / CA
        with bundle.open("wb") as cas:
            for source in (system, str(login / CA)):
                if source and os.path.exists(source):  # noqa: PTH110
                    cas.write(Path(source).read_bytes() + b"\n")
        variables["GIT_SSL_CAINFO"] = str(bundle)
    return variables


def fetch(login: Path, address: str, ref: str, target: Path) -> str:
    """Fill the target; what was wrong, as a sentence, or nothing.

    :param ref: ``refs/…`` that is neither branch nor tag; or nothing.
    """
    repository = target / REPOSITORY
    commands = [["clone", "--bare", "--template=", "--", address, str(repository)]]
    if ref.startswith("refs/"):
        commands.append(["-C", str(repository), "fetch", "--", address, f"+{ref}:{ref}"])
    with tempfile.TemporaryDirectory() as scratch, (target / LOG).open("ab") as log:
        variables = environment(login, Path(scratch))
        try:
            fine = all(_git(command, variables, log) for command in commands)
        except subprocess.TimeoutExpired:
            return TOO_LONG
        finally:
            said = _redacted(target / LOG, login / CONFIG)
    return "" if fine else meaning(said)


def _git(arguments: list[str], variables: dict[str, str], log: BinaryIO) -> bool:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    limit = os.environ.get("IMAGEBUILDER_DEADLINE")
    done = subprocess.run(  # noqa: S603 -- a list of arguments, no shell
        ["git", *settings, *arguments],  # noqa: S607
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=variables,
        check=False,
        timeout=float(limit) if limit else None,
    )
    return done.returncode == 0


def _redacted(log: Path, config: Path) -> str:
    """Blank the login out: git passes on what a host says, and a host may repeat what it got."""
    said = log.read_bytes()
    known = config.read_bytes() if config.exists() else b""
    for coded in re.findall(rb"Authorization: Basic ([A-Za-z0-9+/=]+)", known):
        for secret in (coded, base64.b64decode(coded).partition(b":")[2]):
            said = said.replace(secret, b"***") if secret else said
    log.write_bytes(said)
    return said.decode(errors="replace")


def meaning(said: str) -> str:
    """What git's words mean, as a sentence; its own last ones where that is not known."""
    for pattern, sentence in _MEANINGS:
        if pattern.search(said):
            return sentence
    lines = [line for line in said.splitlines() if line.strip()]
    return f"The private repository could not be fetched: {lines[-1] if lines else 'no word why'}"


def forget(login: Path) -> None:
    """Remove the login, wherever it is a file of this container's own.

    :raises OSError: it is still there.
    """
    if login.exists():
        shutil.rmtree(login)


def main() -> int:
    """Fetch, leave what was wrong beside it, and turn into the command that follows, if any."""
    login, address, ref, target, *command = sys.argv[1:]
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        error = fetch(Path(login), address, ref, folder)
    finally:
        # where no command follows, the login is another container's mount, and goes with this one
        if command:
            forget(Path(login))
    if error:
        (folder / ERROR).write_text(error, encoding="utf-8")
    if command:
        os.execvp(command[0], command)  # noqa: S606 -- no shell
    return 0


if __name__ == "__main__":
    sys.exit(main())
