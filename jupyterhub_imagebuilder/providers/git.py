"""Any Git repository that can be read without a login, by its address."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from traitlets import Int, List, TraitError, Unicode, validate

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecInvalid
from jupyterhub_imagebuilder.providers.address import (
    DEFAULT_PORTS,
    Address,
    read_address,
    scheme_of,
)
from jupyterhub_imagebuilder.providers.githost import Found, GitHostProvider, Listed, missing
from jupyterhub_imagebuilder.providers.refs import HEAD, check_ref, quote_ref, unquote_ref
from jupyterhub_imagebuilder.providers.remote import CannotAskError, GitRemote

_FORM = "<percent-encoded URL>/<ref>, for example https%3A%2F%2Fgit.example.org%2Fteam%2Frepo/HEAD"
_SHA1_DIGITS = 40
#: The first git with ``http.curloptResolve``.
_PINS_SINCE = (2, 37)


class GitProvider(GitHostProvider):
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
        self._pins = False

    @validate("allowed_protocols")
    def _check_protocols(self, proposal: dict[str, Any]) -> list[str]:
        protocols = [protocol.lower() for protocol in proposal["value"]]
        unknown = sorted(set(protocols) - set(DEFAULT_PORTS))
        if unknown:
            raise TraitError(f"GitProvider.allowed_protocols cannot hold {', '.join(unknown)}")
        return protocols

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

    def _spec(self, repository: str, ref: str) -> RepoSpec:
        spec = f"{quote(repository, safe='')}/{quote_ref(ref)}"
        return RepoSpec(self.id, repository, ref, spec)

    def _protocols(self) -> list[str]:
        protocols: list[str] = self.allowed_protocols
        return protocols

    async def _remote(self, address: Address, repository: str) -> GitRemote:
        remote = await super()._remote(address, repository)
        if remote.settings and not self._pins:
            # An older one takes no notice of the setting, and asks for the address again.
            if await remote.version() < _PINS_SINCE:
                raise ProviderUnavailable(
                    "The program git of this hub's image builder is older than 2.37, which is too "
                    "old to read repositories of any host: its administrator has to renew it."
                )
            self._pins = True
        return remote

    async def _find(self, repository: str, ref: str) -> Found:
        listed = await self._list(repository, ref)
        found = self._found(repository, ref, listed)
        if found is not None:
            return found
        commit = await self._expand(listed, ref.lower())
        if commit is None:
            raise missing(ref, repository, listed.refs)
        return Found(commit)

    async def _expand(self, listed: Listed, prefix: str) -> str | None:
        remote = replace(listed.remote, size_limit=self.fetch_limit)
        digits = len(next(iter(listed.refs.values()), "0" * _SHA1_DIGITS))
        try:
            async with asyncio.timeout(self.timeout):
                return await remote.expand(prefix, digits)
        except (CannotAskError, TimeoutError) as error:
            raise ProviderUnavailable(
                f"The history of {remote.url} is too large to look up {prefix} in it: "
                f"give all {digits} digits of the commit."
            ) from error
