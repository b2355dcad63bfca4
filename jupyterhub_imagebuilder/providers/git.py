"""Any Git repository that can be read without a login, by its address."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from traitlets import Float, Int, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.model import RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.flights import SingleFlight
from jupyterhub_imagebuilder.providers.address import (
    DEFAULT_PORTS,
    Address,
    read_address,
    scheme_of,
)
from jupyterhub_imagebuilder.providers.networks import (
    DEFAULT_BLOCKED,
    has_proxy,
    host_addresses,
    read_networks,
)
from jupyterhub_imagebuilder.providers.refs import (
    HEAD,
    check_ref,
    commit_of,
    commits_with_prefix,
    is_abbreviated_commit,
    is_full_commit,
    quote_ref,
    unquote_ref,
)
from jupyterhub_imagebuilder.providers.remote import CannotAskError, GitRemote

_FORM = "<percent-encoded URL>/<ref>, for example https%3A%2F%2Fgit.example.org%2Fteam%2Frepo/HEAD"
_SHA1_DIGITS = 40


class GitProvider(LoggingConfigurable):
    """Provider ``git``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`.

    Needs the program ``git`` on PATH.  Beside the port's errors, :meth:`resolve` raises
    ``SpecForbidden`` where the host's address is blocked.
    """

    id: ClassVar[str] = "git"

    allowed_protocols = List(
        Unicode(),
        default_value=["https", "git"],
        config=True,
        help="""
        Protocols over which repositories are read: ``https``, ``git`` and ``http``.

        Default: ``["https", "git"]``.  ``http`` and ``git`` are not encrypted: who controls the
        network can change what users build.  Nothing else is possible: ``ssh`` needs a key of
        the image builder's, ``file`` would read its own disk.
        """,
    )

    timeout = Float(
        30.0,
        min=0.1,
        config=True,
        help="""
        Seconds that a repository's host has to answer.

        Default: 30.  A commit that is no branch or tag is a second question with the same time.
        """,
    )

    blocked_networks = List(
        Unicode(),
        default_value=list(DEFAULT_BLOCKED),
        config=True,
        help="""
        Networks, in CIDR form, in which no repository's host may have its address.

        Default: this machine, link-local addresses, and the addresses at which clouds hand out
        the credentials of a machine.  Private networks are not among them, because a Git server of
        one's own lives there; add those that hold something to protect.  Both literal addresses
        and what a name resolves to are looked at.  Where an HTTP proxy looks up names, the
        proxy has to block them too.
        """,
    )

    fetch_limit = Int(
        256 * 1024 * 1024,
        min=1024,
        config=True,
        help="""
        Bytes that a temporary copy of a repository's history may take.

        Default: 268435456 (256 MiB).  One is made only where a user gives the first digits of
        a commit that is no branch's or tag's, and holds no files if the server can leave them out.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._flights: SingleFlight[tuple[str, str], str] = SingleFlight()

    @validate("allowed_protocols")
    def _check_protocols(self, proposal: dict[str, Any]) -> list[str]:
        protocols = [protocol.lower() for protocol in proposal["value"]]
        unknown = sorted(set(protocols) - set(DEFAULT_PORTS))
        if unknown:
            raise TraitError(f"GitProvider.allowed_protocols cannot hold {', '.join(unknown)}")
        return protocols

    @validate("blocked_networks")
    def _check_networks(self, proposal: dict[str, Any]) -> list[str]:
        try:
            read_networks(proposal["value"])
        except ValueError as error:
            raise TraitError(f"GitProvider.blocked_networks: {error}") from error
        return list(proposal["value"])

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """See the port."""
        scheme = scheme_of(url)
        if scheme is None:
            return None
        if scheme not in self.allowed_protocols:
            raise SpecInvalid(
                f"Repositories are not read over {scheme}: "
                f"use {' or '.join(self.allowed_protocols) or 'another provider'}."
            )
        address = read_address(url)
        if address.extra:
            raise SpecInvalid(
                "Leave out what stands behind '?' or '#' in the repository's address."
            )
        return self._spec(str(address), HEAD if ref is None else check_ref(ref))

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``<percent-encoded URL>/<ref>``."""
        encoded, slash, ref = spec.partition("/")
        url = unquote(encoded)
        if not slash or not ref or scheme_of(url) is None:
            raise SpecInvalid(f"A repository of the provider git is written {_FORM}.")
        found = self.from_url(url, unquote_ref(ref))
        if found is None:
            raise SpecInvalid(f"A repository of the provider git is written {_FORM}.")
        return found

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port.  Nothing is remembered; those who ask at the same time share the answer."""
        key = (spec.repository, spec.ref)
        commit = await self._flights.run(key, lambda: self._resolve(*key))
        return ResolvedRef(spec, commit)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    def _spec(self, repository: str, ref: str) -> RepoSpec:
        spec = f"{quote(repository, safe='')}/{quote_ref(ref)}"
        return RepoSpec(self.id, repository, ref, spec)

    async def _resolve(self, url: str, ref: str) -> str:
        address = read_address(url)
        try:
            async with asyncio.timeout(self.timeout):
                remote = await self._remote(address)
                refs = await remote.refs(ref)
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"The host {address.host} does not answer within {self.timeout:g} seconds."
            ) from error
        commit = None if is_full_commit(ref) else commit_of(ref, refs)
        if commit is None:
            commit = await self._resolve_commit(remote, ref, refs)
        if commit is None:
            raise RefNotFound(_missing(ref, url))
        return commit

    async def _remote(self, address: Address) -> GitRemote:
        """Look the host up once, so that what was checked is what git connects to."""
        addresses = await host_addresses(address, read_networks(self.blocked_networks))
        return GitRemote(
            url=str(address),
            host=address.host,
            protocols=self.allowed_protocols,
            timeout=self.timeout,
            settings=_pinned(address, addresses),
            size_limit=self.fetch_limit,
        )

    async def _resolve_commit(
        self, remote: GitRemote, ref: str, refs: dict[str, str]
    ) -> str | None:
        """The commit that the ref is the id of, or the first digits of; None when it is neither."""
        full = is_full_commit(ref)
        if not full and not is_abbreviated_commit(ref):
            return None
        tips = commits_with_prefix(ref, refs)
        if len(tips) > 1:
            raise remote.ambiguous(ref)
        if tips:
            return tips.pop()
        if full:
            return await self._verify(remote, ref.lower())
        return await self._expand(remote, ref.lower(), refs)

    async def _verify(self, remote: GitRemote, commit: str) -> str | None:
        try:
            async with asyncio.timeout(self.timeout):
                return await remote.commit(commit)
        except (CannotAskError, TimeoutError):
            # The host did answer just before.  The id is whole, so that it means one commit or
            # none; the build finds out which.
            self.log.info("%s cannot be asked for the commit %s alone", remote.url, commit)
            return commit

    async def _expand(self, remote: GitRemote, prefix: str, refs: dict[str, str]) -> str | None:
        digits = len(next(iter(refs.values()), "0" * _SHA1_DIGITS))
        try:
            async with asyncio.timeout(self.timeout):
                return await remote.expand(prefix, digits)
        except (CannotAskError, TimeoutError) as error:
            raise ProviderUnavailable(
                f"The history of {remote.url} is too large to look up {prefix} in it: "
                f"give all {digits} digits of the commit."
            ) from error


def _pinned(address: Address, addresses: list[str]) -> list[str]:
    """Settings that keep git from looking the host up again, with another answer.

    git's own protocol has no such setting; behind a proxy it is the proxy that connects.
    """
    literal = address.host.startswith("[")
    if not addresses or literal or address.scheme == "git" or has_proxy(address):
        return []
    listed = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    return [f"http.curloptResolve={address.host}:{address.effective_port}:{listed}"]


def _missing(ref: str, url: str) -> str:
    if ref == HEAD:
        return f"The repository {url} has no default branch: name a branch, tag or commit."
    return f"There is no branch, tag or commit {ref} in the repository {url}."
