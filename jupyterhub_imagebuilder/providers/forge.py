"""What hosts of Git repositories share that have pages, a web API and private repositories."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import unquote

from traitlets import List, TraitError, Unicode, validate

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecInvalid
from jupyterhub_imagebuilder.providers.address import (
    Address,
    read_address,
    scheme_of,
    without_ssh,
)
from jupyterhub_imagebuilder.providers.gitcommand import Login
from jupyterhub_imagebuilder.providers.githost import Found, GitHostProvider, missing
from jupyterhub_imagebuilder.providers.hostapi import HostApi, bearer
from jupyterhub_imagebuilder.providers.refs import HEAD, check_ref, is_full_commit

#: Branches that a page's address names before the path of a file more often than other folders.
_USUAL = frozenset({"HEAD", "main", "master", "develop", "dev"})
_TITLE_LIMIT = 200
_DIGITS_LIMIT = 9


class Page(NamedTuple):
    """What an address of a host names."""

    project: tuple[str, ...]  #: names, unescaped
    ref: str | None  #: None where it names none


@dataclasses.dataclass(frozen=True, slots=True)
class CloneLogin:
    """What a build needs to fetch a private repository; goes to that repository alone."""

    address: str  #: where git reads it, ``https://…``
    user: str
    password: str = dataclasses.field(repr=False)
    ca_file: str  #: path of CA certificates beside the system's; may be empty


class ForgeProvider(GitHostProvider):
    """Base of providers of such hosts.  Git is asked first, the API for what git cannot tell."""

    access_token_file = Unicode(
        "",
        config=True,
        help="""
        Path of a file that holds a token for the host: for private repositories, and against
        limits on requests.

        Default: empty, no token.  The file is read at each request, so the token can be renewed in
        place; it goes to the host in a header, by HTTPS alone.  Every user can look up what the
        token can see: give it no permission beyond reading.
        """,
    )

    private_repositories = List(
        Unicode(),
        config=True,
        help="""
        Which private repositories are built with the token: regular expressions over the whole
        canonical URL, without regard to case.

        Default: none.  Example: ``["https://git\\.example\\.org/team/.*"]``.  Everyone who may use
        the image builder can build what matches, read it in the server that starts from it, and
        read the log.
        """,
    )

    #: The user that a token stands beside where git logs in.
    _user: ClassVar[str] = "oauth2"
    #: How the host is called in sentences.
    _title: ClassVar[str] = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._clients: dict[str, HostApi] = {}
        if self.private_repositories and not self.access_token_file:
            name = type(self).__name__
            raise TraitError(f"{name}.private_repositories needs {name}.access_token_file")

    @validate("private_repositories")
    def _check_patterns(self, proposal: dict[str, Any]) -> list[str]:
        for pattern in proposal["value"]:
            try:
                re.compile(pattern)
            except re.error as error:
                name = f"{type(self).__name__}.private_repositories"
                raise TraitError(
                    f"{name}: {pattern!r} is no regular expression: {error}"
                ) from error
        return list(proposal["value"])

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """See the port.  Pages that show a branch, a commit, a file or a request name that too."""
        url, ref = without_ssh(url, ref)
        if scheme_of(url) not in {"https", "http", "git"}:
            return None
        address = read_address(url)
        host = self._host_of(address)
        if host is None:
            return None
        page = self._read_page(address)
        return self._spec(host, page.project, _chosen(page.ref, ref))

    def clone_login(self, repository: str) -> CloneLogin | None:
        """What the build of a repository logs in with; None where it has to do without.

        :param repository: its canonical URL.
        :raises ProviderUnavailable: the token cannot be read.
        """
        address = self._git_address(repository)
        chosen = self._is_named(repository) and self._may_log_in(address)
        token = self._token() if chosen else None
        if token is None:
            return None
        login = self._login_with(token, address)
        return CloneLogin(str(address), login.user, login.password, self.ca_file)

    # Each kind of forge has its own of the next four, and all of them have one; traitlets'
    # metaclass leaves no room for abc's, which would say so.

    def _hosts(self) -> Sequence[str]:
        """Hosts, with a port where it is not 443, in lower case."""
        raise NotImplementedError

    def _read_page(self, address: Address) -> Page:
        """What a page of the forge's shows."""
        raise NotImplementedError

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:
        """A repository and a ref in the forge's own form."""
        raise NotImplementedError

    async def _by_api(self, repository: str, ref: str) -> Found | None:
        """Ask the API which commit the ref means; None when it knows none."""
        raise NotImplementedError

    def _host_of(self, address: Address) -> str | None:
        for host in self._hosts():
            if address.authority in {host, f"www.{host}"}:
                return host
        return None

    async def _find(self, repository: str, ref: str) -> Found:
        found = await self._by_git(repository, ref)
        if found is None:
            found = await self._by_api(repository, ref)
        if found is None:
            raise missing(ref, repository, {})
        return found

    def _api_at(self, base: str) -> HostApi:
        if base not in self._clients:
            self._clients[base] = self.api(base, token=self._token, header=self._token_header)
        return self._clients[base]

    def _token_header(self, token: str) -> tuple[str, str]:
        return bearer(token)

    def _login(self, address: Address) -> Login | None:
        token = self._token()
        if token is None or not self._may_log_in(address):
            return None
        return self._login_with(token, address)

    def _is_named(self, repository: str) -> bool:
        """Whether a repository is one of those that the admin has built with the token."""
        # of the whole: a team whose name goes on behind that of another is another one
        return any(
            re.fullmatch(pattern, repository, re.IGNORECASE)
            for pattern in self.private_repositories
        )

    def _may_log_in(self, address: Address) -> bool:
        return address.scheme == "https" and self._host_of(address) is not None

    def _login_with(self, token: str, address: Address) -> Login:
        user, colon, password = token.rpartition(":")
        return Login(
            f"https://{address.authority}/", user if colon else self._user, password or token
        )

    def _token(self) -> str | None:
        if not self.access_token_file:
            return None
        try:
            token = Path(self.access_token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise self._unreadable_token() from error
        if not token or any(char.isspace() or not char.isprintable() for char in token):
            raise self._unreadable_token()
        return token

    def _unreadable_token(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"The {self._title} token of this hub's image builder cannot be read: "
            "its administrator has to look at it."
        )


def read_hosts(hosts: Sequence[str], option: str) -> list[str]:
    """Hosts as an option has them, with a port where it is not 443, in lower case.

    :param option: its name.
    :raises TraitError: one is none.
    """
    for host in hosts:
        try:
            fits = read_address(f"https://{host}/x").authority == host.lower()
        except SpecInvalid:
            fits = False
        if not fits:
            raise TraitError(f"{option}: {host!r} is not a host such as git.example.org.")
    return [host.lower() for host in hosts]


def page_parts(address: Address) -> list[str]:
    """Parts of the path as the host means them."""
    return [unquote(part) for part in address.parts]


def ref_before_path(parts: Sequence[str]) -> str:
    """The ref in what a page's address names behind ``tree`` or ``blob``.

    A branch can hold slashes, and the path of a file follows it: what comes first is taken where
    it is surely the ref, else all of it.
    """
    if parts[:2] in (["refs", "heads"], ["refs", "tags"]):
        return ref_before_path(parts[2:]) if parts[2:] else "/".join(parts)
    if parts and (is_full_commit(parts[0]) or parts[0] in _USUAL):
        return parts[0]
    return "/".join(parts)


def inside_page(address: Address, repository: str) -> SpecInvalid:
    """Say that a page names no ref."""
    return SpecInvalid(
        "The address is that of a page inside of a repository: "
        f"write https://{address.authority}/{repository} alone, or with @ and a branch behind it."
    )


def request_ref(template: str, number: str, address: Address, repository: str) -> str:
    """The ref of a pull or merge request's head.

    :param template: with ``{}`` for the number.
    """
    if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS_LIMIT):
        raise inside_page(address, repository)
    return template.format(int(number))


def title_of(message: object) -> str | None:
    """First line of a commit's message."""
    if not isinstance(message, str):
        return None
    line = message.strip().partition("\n")[0].strip()
    return "".join(char for char in line if char.isprintable())[:_TITLE_LIMIT] or None


def date_of(text: object) -> float | None:
    """Seconds since the epoch of a date as RFC 3339 has it."""
    if not isinstance(text, str):
        return None
    try:
        date = datetime.fromisoformat(text)
        return date.timestamp() if date.tzinfo else None
    except (ValueError, OverflowError):
        return None


def field(value: object, *names: str) -> Any:
    """What is under these names in an answer; None where there is no such thing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def found_in(commit: object, message: object, date: object) -> Found:
    """A commit of an answer.

    :raises ProviderUnavailable: it names none.
    """
    if not isinstance(commit, str) or not is_full_commit(commit):
        raise ProviderUnavailable("The host's answer names no commit: try again later.")
    return Found(commit.lower(), title_of(message), date_of(date))


def _chosen(named: str | None, ref: str | None) -> str:
    """The ref of a page, or the explicit one, or the default branch."""
    if named is None:
        return HEAD if ref is None else check_ref(ref)
    # A tag such as pkg@1.0 in a page's address was taken apart at its "@".
    return check_ref(named if ref is None else f"{named}@{ref}")
