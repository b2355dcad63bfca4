"""Repositories of GitHub, by ``git`` where that is enough and by its API where it is not."""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import unquote

from traitlets import Unicode

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.address import Address
from jupyterhub_imagebuilder.providers.forge import (
    ForgeProvider,
    Page,
    inside_page,
    page_parts,
    ref_before_path,
    request_ref,
)
from jupyterhub_imagebuilder.providers.gitcommand import Login
from jupyterhub_imagebuilder.providers.githost import Found, missing
from jupyterhub_imagebuilder.providers.github_api import GitHubApi
from jupyterhub_imagebuilder.providers.refs import quote_ref, unquote_ref

#: GitHub's rules for names; its "_" is that of accounts that a company manages.
_ORG = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
_REPO = re.compile(r"[a-z0-9._-]{1,100}")
#: Pages of a repository that show one ref of it, and those that show a file or folder of a ref.
_REF_PAGES = frozenset({"commit", "commits"})
_PATH_PAGES = frozenset({"tree", "blob", "raw", "edit", "blame"})
_REPO_PARTS = 2
_RELEASE_PARTS = 3


class GitHubProvider(ForgeProvider):
    """Provider ``gh``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "gh"
    _title: ClassVar[str] = "GitHub"
    _user: ClassVar[str] = "x-access-token"

    hostname = Unicode(
        "github.com",
        config=True,
        help="""
        Name of the host whose repositories these are.

        Default: ``github.com``.  For a GitHub Enterprise Server its own name; set ``api_url`` too.
        """,
    )

    api_url = Unicode(
        "https://api.github.com",
        config=True,
        help="""
        Where GitHub's REST API is.

        Default: ``https://api.github.com``.  On a GitHub Enterprise Server
        ``https://<hostname>/api/v3``.
        """,
    )

    access_token_file = Unicode(
        "",
        config=True,
        help="""
        Path of a file that holds a token for GitHub's API.

        Default: empty, no token: branches and tags are looked up by ``git``, which has no limit;
        the first digits of other commits by the API, which takes 60 requests an hour from one
        address then, and 5000 with a token.  The file is read at each request, so the token can be
        renewed in place.  Every user can look up what the token can see: give it no permission
        beyond reading.
        """,
    )

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``org/repo/ref``; the ref may hold slashes."""
        org, _, rest = spec.partition("/")
        repo, slash, ref = rest.partition("/")
        if not slash or not ref:
            example = f"{org}/{repo}/HEAD" if org and repo else "org/repo/HEAD"
            raise SpecInvalid(
                f"A ref is missing behind the repository: write for example {example}."
            )
        return self._spec(self.hostname.lower(), (unquote(org), unquote(repo)), unquote_ref(ref))

    def _hosts(self) -> list[str]:
        return [self.hostname.lower()]

    def _read_page(self, address: Address) -> Page:
        parts = page_parts(address)
        if len(parts) < _REPO_PARTS:
            raise SpecInvalid(
                f"A repository is missing in the address: write https://{address.host}/org/repo."
            )
        project, rest = (parts[0], parts[1]), parts[_REPO_PARTS:]
        return Page(project, _ref_of_page(rest, address) if rest else None)

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:
        org, repo = (each.lower() for each in project)
        while repo.endswith(".git"):
            repo = repo.removesuffix(".git")
        if not _ORG.fullmatch(org) or not _REPO.fullmatch(repo) or repo in {".", ".."}:
            raise SpecInvalid("GitHub has no organization or repository of such a name.")
        return RepoSpec(
            self.id, f"https://{host}/{org}/{repo}", ref, f"{org}/{repo}/{quote_ref(ref)}"
        )

    def _login(self, address: Address) -> Login | None:
        # A token that may nothing but ask the API is refused where everyone may read.
        named = self._is_named(str(address).removesuffix(".git"))
        return super()._login(address) if named else None

    async def _find(self, repository: str, ref: str) -> Found:
        if not self.access_token_file:
            return await super()._find(repository, ref)
        found = await self._by_api(repository, ref)
        if found is None:
            raise missing(ref, repository, {})
        return found

    async def _by_api(self, repository: str, ref: str) -> Found | None:
        org, repo = repository.rsplit("/", 2)[1:]
        return await GitHubApi(self._api_at(self.api_url), org, repo).commit(ref)


def _ref_of_page(rest: list[str], address: Address) -> str:
    """The ref that the page shows."""
    repository = "/".join(address.parts[:_REPO_PARTS])
    if len(rest) > 1:
        if rest[0] in _REF_PAGES:
            return "/".join(rest[1:])
        if rest[0] in _PATH_PAGES:
            return ref_before_path(rest[1:])
        if rest[0] == "pull":
            return request_ref("refs/pull/{}/head", rest[1], address, repository)
        if rest[:2] == ["releases", "tag"] and len(rest) >= _RELEASE_PARTS:
            return "/".join(rest[2:])
    raise inside_page(address, repository)
