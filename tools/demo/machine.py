"""This machine: its programs, its distribution's packages, and root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.demo.state import State, Unusable, say

#: What a company's network asks for; sudo forgets it unless told otherwise.
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
#: Where Debian's tools for the system are; not on everybody's PATH.
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
#: Asked by packages before they start a service.
_POLICY = Path("/usr/sbin/policy-rc.d")
_NOTHING_STARTS = "#!/bin/sh\nexit 101\n"


def program(name: str) -> str | None:
    """Path of a program, of those for root too."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), _SYSTEM)))


def root() -> list[str] | None:
    """Words before a command that needs root: none for root; None where root cannot be had.

    Asks for a password where there is a terminal to ask at, and only then.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asking = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "true"]
    done = subprocess.run(asking, check=False, capture_output=not sys.stdin.isatty())  # noqa: S603
    return ["sudo", "-n"] if done.returncode == 0 else None


def has_root() -> bool:
    """Whether root may be had; asks for nothing."""
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return (
        sys.stdin.isatty()
        or subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0  # noqa: S607
    )


def as_root(words: Sequence[str]) -> list[str]:
    """The command, as root.  :raises Unusable: root cannot be had."""
    before = root()
    if before is None:
        raise Unusable(f"{Path(words[0]).name} needs root: run it as root, or install sudo.")
    return [*before, *words]


def with_apt() -> bool:
    """Whether this is a machine whose packages the demo can install."""
    return program("apt-get") is not None and program("dpkg-query") is not None


def installed() -> set[str]:
    """Names of all packages that are installed."""
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${binary:Package}\n"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    return parse_installed(listed.stdout)


def parse_installed(listed: str) -> set[str]:
    """Read ``dpkg-query``'s lines of a state and a name; ``ii`` means that it is installed."""
    rows = (line.split() for line in listed.splitlines())
    return {row[1] for row in rows if len(row) > 1 and row[0].startswith("ii")}


def available(*names: str) -> set[str]:
    """Which of these the distribution has."""
    asked = subprocess.run(  # noqa: S603
        ["apt-cache", "policy", *names],  # noqa: S607
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return parse_available(asked.stdout)


def parse_available(policy: str) -> set[str]:
    """Read ``apt-cache policy``: a name, and below it the version that would be installed."""
    found = set()
    name = ""
    for line in policy.splitlines():
        if line and not line[0].isspace():
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            found.add(name)
    return found


def install(names: Sequence[str], state: State) -> None:
    """Install packages, start none of their services, and note all that came with them.

    :raises Unusable: there is no root, no network, or no such package.
    """
    say(f"installing {' '.join(names)} with apt")
    before = installed()
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    apt = ["apt-get", "-y", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    try:
        with _nothing_starts():
            _run(as_root(["apt-get", "update", "-qq"]), "the list of packages could not be read")
            _run(
                as_root([*environment, *apt, "install", "--no-install-recommends", *names]),
                f"{' '.join(names)} could not be installed",
            )
    finally:
        note(state, installed() - before)


def note(state: State, names: set[str]) -> None:
    """Add to the packages that the demo has installed."""
    if names:
        state.remember()  # makes the folder
        known = state.packages.read_text().split() if state.packages.exists() else []
        state.packages.write_text("".join(f"{name}\n" for name in sorted({*known, *names})))


def release() -> Mapping[str, str]:
    """What ``/etc/os-release`` says of the distribution."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}


def systemd_runs() -> bool:
    """Whether services are systemd's; the test is its own (``sd_booted(3)``)."""
    return Path("/run/systemd/system").is_dir()


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Keep packages from starting their services; one who wants that already has it so."""
    aside = _POLICY.with_name("policy-rc.d.before-demo")
    had = _POLICY.exists()
    if had:
        _run(as_root(["mv", str(_POLICY), str(aside)]), f"{_POLICY} cannot be replaced")
    try:
        subprocess.run(  # noqa: S603
            as_root(["tee", str(_POLICY)]),
            input=_NOTHING_STARTS.encode(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        _run(as_root(["chmod", "755", str(_POLICY)]), f"{_POLICY} cannot be made")
        yield
    finally:
        after = ["mv", str(aside), str(_POLICY)] if had else ["rm", "-f", str(_POLICY)]
        _run(as_root(after), f"{_POLICY} is the demo's still; remove it")


def _run(words: Sequence[str], otherwise: str) -> None:
    done = subprocess.run(  # noqa: S603
        words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unusable(f"{otherwise}: {said[-1] if said else 'no reason was given'}")
