"""Addresses of repositories in one canonical form, so that a repository has one identity.

Pure functions.  Source of the syntax: RFC 3986, and git's ``git help clone`` (GIT URLS).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from jupyterhub_imagebuilder.errors import SpecInvalid

#: Protocols over which git reads without running a program of our choice, with their ports.
DEFAULT_PORTS = {"https": 443, "http": 80, "git": 9418}

#: How git's clients write a login by SSH at hosts of repositories, where the user is all the same.
_SCP = re.compile(
    r"(?:git|gitea|forgejo|hg|org-[0-9]+)@([A-Za-z0-9.-]+):([^\s@/][^\s@]*)(?:@(.*))?"
)
_SSH = re.compile(
    r"(?:git\+)?ssh://(?:(?:git|gitea|forgejo|hg|org-[0-9]+)@)?([A-Za-z0-9.-]+)(?::[0-9]+)?(/.*)"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HIGHEST_PORT = 65535
#: Below it are control characters; so is this one itself (ASCII).
_SPACE, _DELETE = 0x20, 0x7F


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is; its text is the canonical URL."""

    scheme: str
    host: str  #: lower-case, IPv6 in brackets
    port: int | None  #: None where it is the protocol's own
    parts: tuple[str, ...]  #: of the path, percent-encoded
    extra: bool = False  #: a query or fragment stood behind the path

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}/{'/'.join(self.parts)}"

    @property
    def authority(self) -> str:
        """Host, with the port where it is not the protocol's own."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def with_suffix(self) -> Address:
        """The same with ``.git``, which some hosts want to be asked with."""
        return replace(self, parts=(*self.parts[:-1], f"{self.parts[-1]}.git"))

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return self.port or DEFAULT_PORTS.get(self.scheme, 0)


def scheme_of(text: str) -> str | None:
    """The protocol of a URL, lower-case; None when the text is none."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else None


def without_ssh(text: str, ref: str | None) -> tuple[str, str | None]:
    """Turn the address that a login by SSH would use into that of the same repository over HTTPS.

    It is right only at hosts that have both at the same path; other texts are returned as they are.

    :param ref: what stood behind ``@``; in ``git@host:path@ref`` it is still a part of the text.
    """
    scp = _SCP.fullmatch(text)
    if scp is not None:
        return f"https://{scp[1]}/{scp[2]}", scp[3] if ref is None else ref
    ssh = _SSH.fullmatch(text)
    return (text, ref) if ssh is None else (f"https://{ssh[1]}{ssh[2]}", ref)


def read_address(text: str) -> Address:
    """Read a URL (:func:`scheme_of` says that it is one) into its canonical form.

    Scheme and host become lower-case; the protocol's own port, empty path parts and ``.git``
    suffixes go; escapes of plain characters are undone and others spelled one way.

    :raises SpecInvalid: it is not fit to be a repository's address.  The sentence does not repeat
        the text, which may hold a secret.
    """
    if any(not char.isprintable() or char.isspace() or char == "\\" for char in text):
        raise SpecInvalid(
            "The repository's address holds a space, a backslash or an invisible character."
        )
    try:
        split = urlsplit(text)
    except ValueError as error:
        raise SpecInvalid("The host in the repository's address is not valid.") from error
    if "@" in split.netloc:
        raise SpecInvalid(
            "Do not put a user name, a password or a token into a repository's address: "
            "leave out what stands before the '@'."
        )
    scheme = split.scheme.lower()
    host, port = _host_and_port(split.netloc, scheme)
    extra = bool(split.query or split.fragment)
    return Address(scheme, host, port, _path_parts(split.path), extra)


def _host_and_port(authority: str, scheme: str) -> tuple[str, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise SpecInvalid("The host in the repository's address is missing or not valid.")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise SpecInvalid("The port in the repository's address is not valid.")
    return _host(match["host"]), None if port == DEFAULT_PORTS.get(scheme) else port


def _host(text: str) -> str:
    try:
        if text.startswith("["):
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except ValueError as error:  # UnicodeError and AddressValueError are ValueErrors
        raise SpecInvalid("The host in the repository's address is not valid.") from error
    # A leading "-" would be read as an option by programs that get the host as an argument.
    if not _HOST.fullmatch(host) or ".." in host:
        raise SpecInvalid("The host in the repository's address is not valid.")
    return host


def _path_parts(path: str) -> tuple[str, ...]:
    if _BAD_ESCAPE.search(path):
        raise SpecInvalid("A '%' in the repository's address needs two hexadecimal digits.")
    # "@" stays escaped: behind a repository's address it starts the ref.
    plain = quote(_ESCAPE.sub(_one_spelling, path), safe="/%:!$&'()*+,;=~")
    parts = [part for part in plain.split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise SpecInvalid(
            "The repository's address may not hold '.' or '..' as a part of its path."
        )
    # All suffixes, not one: reading an address that was read before must change nothing.
    while parts and parts[-1].endswith(".git"):
        last = parts.pop().removesuffix(".git")
        parts += [last] if last else []
    if not parts:
        raise SpecInvalid("The address names a host but no repository on it.")
    # What is left when a suffix goes can be a dot segment.
    if parts[-1] in {".", ".."}:
        raise SpecInvalid(
            "The repository's address may not hold '.' or '..' as a part of its path."
        )
    return tuple(parts)


def _one_spelling(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    if code < _SPACE or code == _DELETE:
        raise SpecInvalid("The repository's address holds an escaped control character.")
    return chr(code) if chr(code) in _UNRESERVED else f"%{escape[1].upper()}"
