"""Repositories of GitHub, by ``git`` where that is enough and by its API where it is not."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from traitlets import Float, Unicode
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.model import RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.flights import SingleFlight
from jupyterhub_imagebuilder.providers.address import Address, read_address, scheme_of
from jupyterhub_imagebuilder.providers.github_api import GitHubApi
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
from jupyterhub_imagebuilder.providers.remote import GitRemote

#: GitHub's rules for names; its "_" is that of accounts that a company manages.
_ORG = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
_REPO = re.compile(r"[a-z0-9._-]{1,100}")
#: Pages of a repository that show one ref of it.
_REF_PAGES = frozenset({"tree", "commit", "commits"})
_REPO_PARTS = 2


class GitHubProvider(LoggingConfigurable):
    """Provider ``gh``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "gh"

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
        commits by the API, which takes 60 requests an hour from one address then, and 5000 with a
        token.  The file is read at each request, so the token can be renewed in place.  Every
        user can look up what the token can see: give it no permission at all.
        """,
    )

    timeout = Float(
        30.0,
        min=0.1,
        config=True,
        help="""
        Seconds that GitHub has to answer.

        Default: 30.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._flights: SingleFlight[tuple[str, str], str] = SingleFlight()
        self._api: GitHubApi | None = None

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """See the port.  The address of a page that shows one branch or commit names it too."""
        if scheme_of(url) not in {"https", "http", "git"}:
            return None
        address = read_address(url)
        host = self.hostname.lower()
        if address.host not in {host, f"www.{host}"} or address.port is not None:
            return None
        return self._spec(*_names(address), _ref_of_page(address, ref))

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``org/repo/ref``; the ref may hold slashes."""
        org, _, rest = spec.partition("/")
        repo, slash, ref = rest.partition("/")
        if not slash or not ref:
            example = f"{org}/{repo}/HEAD" if org and repo else "org/repo/HEAD"
            raise SpecInvalid(
                f"A ref is missing behind the repository: write for example {example}."
            )
        return self._spec(unquote(org), unquote(repo), unquote_ref(ref))

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port.  Those who ask the same at the same time share the answer."""
        key = (spec.repository, spec.ref)
        commit = await self._flights.run(key, lambda: self._resolve(*key))
        return ResolvedRef(spec, commit)

    async def close(self) -> None:
        """End what is under way, and the connections."""
        await self._flights.close()
        api, self._api = self._api, None
        if api is not None:
            await api.close()

    def _spec(self, org: str, repo: str, ref: str) -> RepoSpec:
        org, repo = org.lower(), repo.lower()
        while repo.endswith(".git"):
            repo = repo.removesuffix(".git")
        if not _ORG.fullmatch(org) or not _REPO.fullmatch(repo) or repo in {".", ".."}:
            raise SpecInvalid("GitHub has no organization or repository of such a name.")
        repository = f"https://{self.hostname.lower()}/{org}/{repo}"
        return RepoSpec(self.id, repository, ref, f"{org}/{repo}/{quote_ref(ref)}")

    def _remote(self, repository: str) -> GitRemote:
        return GitRemote(repository, self.hostname, ("https",), self.timeout)

    def _token(self) -> str | None:
        if not self.access_token_file:
            return None
        try:
            token = Path(self.access_token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise _unreadable_token() from error
        if not token or any(char.isspace() or not char.isprintable() for char in token):
            raise _unreadable_token()
        return token

    async def _resolve(self, repository: str, ref: str) -> str:
        if not self.access_token_file and not is_full_commit(ref):
            commit = await self._by_git(repository, ref)
            if commit is not None:
                return commit
        org, repo = repository.rsplit("/", 2)[1:]
        if self._api is None:
            self._api = GitHubApi(self.api_url, self.timeout, self._token)
        return await self._api.commit(org, repo, ref)

    async def _by_git(self, repository: str, ref: str) -> str | None:
        """Look a branch, tag or tip up without the API; None where only the API can tell."""
        try:
            async with asyncio.timeout(self.timeout):
                remote = self._remote(repository)
                refs = await remote.refs(ref)
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"The host {self.hostname} does not answer within {self.timeout:g} seconds."
            ) from error
        commit = commit_of(ref, refs)
        if commit is not None:
            return commit
        if not is_abbreviated_commit(ref):
            raise RefNotFound(_missing(ref, repository))
        tips = commits_with_prefix(ref, refs)
        if len(tips) > 1:
            raise remote.ambiguous(ref)
        return tips.pop() if tips else None


def _names(address: Address) -> tuple[str, str]:
    if len(address.parts) < _REPO_PARTS:
        raise SpecInvalid(
            f"A repository is missing in the address: write https://{address.host}/org/repo."
        )
    return unquote(address.parts[0]), unquote(address.parts[1])


def _ref_of_page(address: Address, ref: str | None) -> str:
    """The ref that the rest of the path names, or the explicit one, or the default branch."""
    rest = [unquote(part) for part in address.parts[_REPO_PARTS:]]
    if not rest:
        return HEAD if ref is None else check_ref(ref)
    if rest[0] not in _REF_PAGES or len(rest) == 1:
        raise SpecInvalid(
            "The address is that of a page inside of a repository: "
            f"write https://{address.host}/{address.parts[0]}/{address.parts[1]} alone."
        )
    # A tag such as pkg@1.0 in a page's address was taken apart at its "@".
    named = "/".join(rest[1:])
    return check_ref(named if ref is None else f"{named}@{ref}")


def _unreadable_token() -> ProviderUnavailable:
    return ProviderUnavailable(
        "The GitHub token of this hub's image builder cannot be read: "
        "its administrator has to look at it."
    )


def _missing(ref: str, repository: str) -> str:
    if ref == HEAD:
        return f"The repository {repository} has no default branch: name a branch, tag or commit."
    return f"There is no branch, tag or commit {ref} in the repository {repository}."
