"""What providers share whose repositories are read by git."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, TypeVar

from jupyterhub_imagebuilder.builds.model import Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.ports import FULL_COMMIT
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecForbidden
from jupyterhub_imagebuilder.providers.address import Address, read_address
from jupyterhub_imagebuilder.providers.gitcommand import Login
from jupyterhub_imagebuilder.providers.host import HostProvider
from jupyterhub_imagebuilder.providers.networks import has_proxy
from jupyterhub_imagebuilder.providers.refs import (
    HEAD,
    commit_of,
    commits_with_prefix,
    is_abbreviated_commit,
    is_full_commit,
    shorter_ref,
)
from jupyterhub_imagebuilder.providers.remote import GitRemote, RedirectedError

T = TypeVar("T")

#: What git asks a server first; a redirect of the repository is a redirect of this.
_REFS_PATH = "/info/refs"
_SERVICE = "service=git-upload-pack"
_MAX_REDIRECTS = 3
_MOVED = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


class Found(NamedTuple):
    """A commit, and what its host says of it in the same answer."""

    commit: str
    title: str | None = None  #: first line of its message
    date: float | None = None  #: seconds since the epoch


class Listed(NamedTuple):
    """Refs of a repository, and where they were read."""

    remote: GitRemote
    refs: dict[str, str]


class GitHostProvider(HostProvider):
    """Asks git for branches and tags; a commit in full is asked of nobody."""

    commit_form: ClassVar[re.Pattern[str]] = FULL_COMMIT

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port.  Branches and tags are remembered for ``memo`` seconds."""
        if is_full_commit(spec.ref):
            # What costs no request can be asked in bulk; the build finds out whether it exists.
            self.door.check_literal(read_address(spec.repository).host)
            return ResolvedRef(spec, spec.ref.lower())
        key = (spec.repository, spec.ref)
        found = await self.remembered(key, lambda: self._find(*key))
        return ResolvedRef(spec, found.commit, found.title, found.date)

    async def refs(self, spec: RepoSpec) -> Refs:
        """See the port.  Remembered for ``memo`` seconds."""
        repository = spec.repository
        return await self.remembered(("refs", repository, ""), lambda: self._refs(repository))

    async def _refs(self, repository: str) -> Refs:
        """All branches and tags."""
        return await self._ask(repository, lambda remote: remote.listing())

    async def _find(self, repository: str, ref: str) -> Found:
        """Which commit a branch, a tag or the first digits of a commit mean."""
        # each kind has its own; traitlets' metaclass leaves no room for abc's, which would say so
        raise NotImplementedError

    async def _by_git(self, repository: str, ref: str) -> Found | None:
        """Look a branch, a tag or the tip of one up; None where git alone cannot tell.

        :raises RefNotFound: there is none, and it cannot be a commit either.
        """
        return self._found(repository, ref, await self._list(repository, ref))

    async def _list(self, repository: str, ref: str) -> Listed:
        async def listed(remote: GitRemote) -> Listed:
            return Listed(remote, await remote.refs(ref))

        return await self._ask(repository, listed)

    async def _ask(self, repository: str, question: Callable[[GitRemote], Awaitable[T]]) -> T:
        """Ask a repository by git, wherever its host says that it is, in the time there is."""
        address = self._git_address(repository)
        try:
            async with asyncio.timeout(self.timeout):
                return await self._ask_at(address, repository, question)
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"The host {address.host} does not answer within {self.timeout:g} seconds."
            ) from error

    def _found(self, repository: str, ref: str, listed: Listed) -> Found | None:
        commit = commit_of(ref, listed.refs)
        if commit is not None:
            return Found(commit)
        if not is_abbreviated_commit(ref):
            raise missing(ref, repository, listed.refs)
        tips = commits_with_prefix(ref, listed.refs)
        if len(tips) > 1:
            raise listed.remote.ambiguous(ref)
        return Found(tips.pop()) if tips else None

    def _git_address(self, repository: str) -> Address:
        """Where git reads the repository."""
        return read_address(repository)

    def _protocols(self) -> Sequence[str]:
        return ("https",)

    def _login(self, address: Address) -> Login | None:  # noqa: ARG002 - for subclasses
        """What git logs in with there."""
        return None

    async def _ask_at(
        self, address: Address, repository: str, question: Callable[[GitRemote], Awaitable[T]]
    ) -> T:
        for _ in range(_MAX_REDIRECTS + 1):
            remote = await self._remote(address, repository)
            try:
                return await question(remote)
            except RedirectedError:
                address = await self._moved(address)
        raise ProviderUnavailable(f"The host {address.host} redirects too often.")

    async def _remote(self, address: Address, repository: str) -> GitRemote:
        """The repository at the address, pinned to what the door let through."""
        addresses = await self.door.addresses(address)
        if self.ca_file:
            # Says so where they cannot be read.
            self.tls_context()
        return GitRemote(
            url=repository,
            host=address.host,
            protocols=self._protocols(),
            timeout=self.timeout,
            settings=pinned(address, addresses),
            ca_file=self.ca_file,
            login=self._login(address),
            **_target(address, addresses),
        )

    async def _moved(self, address: Address) -> Address:
        """Where the host says that the repository is now.

        :raises SpecForbidden: at an address that git may not read.
        :raises ProviderUnavailable: nowhere.
        """
        answer = await self.api(str(address)).get(
            f"{_REFS_PATH}?{_SERVICE}", accept="*/*", etag=False, passing=_MOVED, redirects=0
        )
        target = answer.headers.get("Location", "")
        try:
            url = answer.url.join(type(answer.url)(target, encoded=True))
        except ValueError as error:
            raise _no_git(address) from error
        if url.scheme not in self._protocols():
            raise SpecForbidden(
                f"The host {address.host} sends to an address that repositories are not read from."
            )
        base = str(url.with_query(None).with_fragment(None))
        if answer.status not in _MOVED or not base.endswith(_REFS_PATH):
            raise _no_git(address)
        base = base.removesuffix(_REFS_PATH)
        moved = read_address(base)
        # Hosts that want the suffix send from the address without it to the one with it.
        return moved.with_suffix() if base.endswith(".git") else moved


def pinned(address: Address, addresses: Sequence[str]) -> list[str]:
    """Settings that keep git from looking the host up again, with another answer.

    git's own protocol has no such setting; behind a proxy it is the proxy that connects.
    """
    literal = address.host.startswith("[")
    if not addresses or literal or address.scheme == "git" or has_proxy(address):
        return []
    listed = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    return [f"http.curloptResolve={address.host}:{address.effective_port}:{listed}"]


def _target(address: Address, addresses: Sequence[str]) -> Mapping[str, Any]:
    """What git is given: over its own protocol, the checked address instead of the name."""
    if address.scheme != "git" or not addresses:
        return {"target": str(address)}
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    port = "" if address.port is None else f":{address.port}"
    return {
        "target": f"git://{host}{port}/{'/'.join(address.parts)}",
        # One server can have several names.
        "environment": {"GIT_OVERRIDE_VIRTUAL_HOST": f"{address.host}{port}"},
    }


def missing(ref: str, repository: str, refs: Mapping[str, str]) -> RefNotFound:
    """Say that the repository has no such ref."""
    if ref == HEAD:
        return RefNotFound(
            f"The repository {repository} has no default branch: name a branch, tag or commit."
        )
    shorter = shorter_ref(ref, refs)
    hint = f", but there is {shorter}: write {repository}@{shorter}" if shorter else ""
    return RefNotFound(
        f"There is no branch, tag or commit {ref} in the repository {repository}{hint}."
    )


def _no_git(address: Address) -> ProviderUnavailable:
    return ProviderUnavailable(f"The host {address.host} does not answer as a Git server does.")
