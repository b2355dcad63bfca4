"""Gists of GitHub: one commit of one, or the newest.

Source of the format: GitHub's documentation of "Get a gist" (docs.github.com/en/rest/gists).
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from traitlets import Bool, Unicode

from jupyterhub_imagebuilder.builds.model import Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import (
    ProviderUnavailable,
    RefNotFound,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.providers.address import Address
from jupyterhub_imagebuilder.providers.forge import (
    ForgeProvider,
    Page,
    field,
    found_in,
    page_parts,
)
from jupyterhub_imagebuilder.providers.gitcommand import Login
from jupyterhub_imagebuilder.providers.githost import Found
from jupyterhub_imagebuilder.providers.refs import (
    HEAD,
    is_abbreviated_commit,
    is_full_commit,
    quote_ref,
    unquote_ref,
)

_USER = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
_ID = re.compile(r"[0-9a-f]{1,40}")
_HOST = "gist.github.com"
#: Where pages of files are.
_RAW_HOST = "gist.githubusercontent.com"
_FORM = "user/id, for example https://gist.github.com/user/0123456789abcdef0123456789abcdef"
_PARTS = 2
_RAW_PARTS = 4


class GistProvider(ForgeProvider):
    """Provider ``gist``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`.

    The API says whether a gist is secret, so that it is asked even for a whole commit.
    """

    id: ClassVar[str] = "gist"
    _title: ClassVar[str] = "GitHub"

    allow_secret_gist = Bool(
        default_value=False,
        config=True,
        help="""
        Whether secret gists are built: everyone who can see an image's name can read them then.

        Default: False.  With True the API is not asked, and has no limit to keep to.
        """,
    )

    api_url = Unicode(
        "https://api.github.com",
        config=True,
        help="""
        Where GitHub's REST API is.

        Default: ``https://api.github.com``.
        """,
    )

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``user/id`` or ``user/id/ref``."""
        user, _, rest = spec.partition("/")
        name, _, ref = rest.partition("/")
        if not user or not name:
            raise SpecInvalid(f"A gist is written {_FORM}.")
        return self._spec(_HOST, (unquote(user), unquote(name)), unquote_ref(ref or HEAD))

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port.

        :raises SpecForbidden: the gist is secret.
        """
        if self.allow_secret_gist:
            return await super().resolve(spec)
        gist = await self._public(spec)
        if is_full_commit(spec.ref):
            return await super().resolve(spec)
        found = _revision(gist, spec.ref)
        if found is None:
            return await super().resolve(spec)
        return ResolvedRef(spec, found.commit, found.title, found.date)

    async def refs(self, spec: RepoSpec) -> Refs:
        """See the port.

        :raises SpecForbidden: the gist is secret.
        """
        if not self.allow_secret_gist:
            await self._public(spec)
        return await super().refs(spec)

    async def _public(self, spec: RepoSpec) -> Any:
        """What the API says of the gist, which is not secret."""
        user, name = spec.repository.removesuffix(".git").rsplit("/", 2)[1:]
        gist = await self.remembered(name, lambda: self._gist(name))
        if str(field(gist, "owner", "login")).lower() != user:
            raise RefNotFound(f"The gist {name} does not exist, or is not one of {user}.")
        if field(gist, "public") is not True:
            raise SpecForbidden("Secret gists are not built here: make it public, or a repository.")
        return gist

    def _hosts(self) -> list[str]:
        return [_HOST, _RAW_HOST]

    def _read_page(self, address: Address) -> Page:
        parts = page_parts(address)
        if len(parts) < _PARTS:
            raise SpecInvalid(f"The gist's user is missing in the address: write {_FORM}.")
        rest = parts[_PARTS:]
        if rest[:1] == ["raw"] and address.host == _RAW_HOST and len(parts) == _RAW_PARTS:
            # "raw/<file>" is the newest, "raw/<commit of the file>/<file>" names no commit
            rest = []
        if len(rest) > 1 or (rest and not is_full_commit(rest[0])):
            raise SpecInvalid(f"The address is that of a page of a gist: write {_FORM}.")
        return Page((parts[0], parts[1]), rest[0] if rest else None)

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:  # noqa: ARG002
        user, name = (each.lower() for each in project)
        while name.endswith(".git"):
            name = name.removesuffix(".git")
        if not _USER.fullmatch(user) or not _ID.fullmatch(name):
            raise SpecInvalid(f"There is no gist of such a name: write {_FORM}.")
        # As GitHub has it in "Clone".
        repository = f"https://{_HOST}/{user}/{name}.git"
        return RepoSpec(self.id, repository, ref, f"{user}/{name}/{quote_ref(ref)}")

    def _git_address(self, repository: str) -> Address:
        return super()._git_address(repository).with_suffix()

    def _login(self, address: Address) -> Login | None:  # noqa: ARG002
        return None

    async def _gist(self, name: str) -> Any:
        return await self._api_at(self.api_url).get_json(
            f"gists/{quote(name, safe='')}", what=f"The gist {name}"
        )

    async def _by_api(self, repository: str, ref: str) -> Found | None:
        name = repository.removesuffix(".git").rsplit("/", 1)[1]
        return _revision(await self._gist(name), ref)


def _revision(gist: object, ref: str) -> Found | None:
    """The newest revision, or the one that starts with these digits."""
    history = field(gist, "history")
    if not isinstance(history, list) or not history:
        raise ProviderUnavailable("GitHub's answer names no revision of the gist.")
    if ref == HEAD:
        return found_in(field(history[0], "version"), None, field(history[0], "committed_at"))
    if not is_abbreviated_commit(ref):
        return None
    found = [
        found_in(field(each, "version"), None, field(each, "committed_at"))
        for each in history
        if str(field(each, "version")).startswith(ref.lower())
    ]
    return found[0] if len(found) == 1 else None
