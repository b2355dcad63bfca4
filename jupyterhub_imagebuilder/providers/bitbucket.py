"""Repositories of Bitbucket Cloud.

Sources: Atlassian's documentation of "Get a commit"
(developer.atlassian.com/cloud/bitbucket/rest), and of access tokens.  Bitbucket Data Center is
another program: its repositories are those of the provider ``git``.
"""

from __future__ import annotations

import base64
import re
from typing import ClassVar
from urllib.parse import quote, unquote

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import Address
from jupyterhub_imagebuilder.providers.forge import (
    ForgeProvider,
    Page,
    field,
    found_in,
    inside_page,
    page_parts,
    ref_before_path,
)
from jupyterhub_imagebuilder.providers.githost import Found
from jupyterhub_imagebuilder.providers.hostapi import bearer
from jupyterhub_imagebuilder.providers.refs import quote_ref, unquote_ref

_NAME = re.compile(r"[a-z0-9_.-]{1,100}")
_REF_PAGES = frozenset({"commits", "branch"})
_PATH_PAGES = frozenset({"src", "raw"})
_REPO_PARTS = 2
_API = "https://api.bitbucket.org/2.0"


class BitbucketProvider(ForgeProvider):
    """Provider ``bb``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "bb"
    _title: ClassVar[str] = "Bitbucket"
    _user: ClassVar[str] = "x-token-auth"

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``workspace/repo/ref``; the ref may hold slashes."""
        workspace, _, rest = spec.partition("/")
        repo, slash, ref = rest.partition("/")
        if not slash or not ref:
            raise SpecInvalid(
                "A repository of Bitbucket is written workspace/repo/ref, "
                "for example workspace/repo/HEAD."
            )
        return self._spec("bitbucket.org", (unquote(workspace), unquote(repo)), unquote_ref(ref))

    def _hosts(self) -> list[str]:
        return ["bitbucket.org"]

    def _read_page(self, address: Address) -> Page:
        parts = page_parts(address)
        if len(parts) < _REPO_PARTS:
            raise SpecInvalid(
                "A repository is missing in the address: "
                "write https://bitbucket.org/workspace/repo."
            )
        project, rest = (parts[0], parts[1]), parts[_REPO_PARTS:]
        return Page(project, _ref_of_page(rest, address) if rest else None)

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:
        workspace, repo = (each.lower() for each in project)
        while repo.endswith(".git"):
            repo = repo.removesuffix(".git")
        if not all(_NAME.fullmatch(name) and name.strip(".") for name in (workspace, repo)):
            raise SpecInvalid("Bitbucket has no workspace or repository of such a name.")
        path = f"{workspace}/{repo}"
        return RepoSpec(self.id, f"https://{host}/{path}", ref, f"{path}/{quote_ref(ref)}")

    def _token_header(self, token: str) -> tuple[str, str]:
        if ":" not in token:
            return bearer(token)
        # "user:password" is what an account's own tokens are used with
        return "Authorization", f"Basic {base64.b64encode(token.encode()).decode()}"

    async def _by_api(self, repository: str, ref: str) -> Found | None:
        path = "/".join(quote(part, safe="") for part in repository.rsplit("/", 2)[1:])
        fields = "hash,message,date"
        try:
            said = await self._api_at(_API).get_json(
                f"repositories/{path}/commit/{quote(ref, safe='')}?fields={fields}"
            )
        except RefNotFound:
            # git has seen the repository just before
            return None
        return found_in(field(said, "hash"), field(said, "message"), field(said, "date"))


def _ref_of_page(rest: list[str], address: Address) -> str:
    repository = "/".join(address.parts[:_REPO_PARTS])
    if len(rest) > 1:
        if rest[0] in _REF_PAGES:
            return "/".join(rest[1:])
        if rest[0] in _PATH_PAGES:
            return ref_before_path(rest[1:])
        if rest[0] == "pull-requests":
            raise SpecInvalid(
                "Bitbucket has no ref for a pull request: write the repository that it comes from, "
                "with @ and its branch behind it."
            )
    raise inside_page(address, repository)
