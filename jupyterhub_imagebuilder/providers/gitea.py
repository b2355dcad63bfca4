"""Repositories of Gitea and Forgejo, codeberg.org's and those of one's own.

Sources: Gitea's documentation of its API ("Get a list of all commits from a repository",
docs.gitea.com/api), which Forgejo shares, and its pages' addresses.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlencode

from traitlets import List, Unicode, validate

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import Address, read_address
from jupyterhub_imagebuilder.providers.forge import (
    ForgeProvider,
    Page,
    field,
    found_in,
    inside_page,
    page_parts,
    read_hosts,
    ref_before_path,
    request_ref,
)
from jupyterhub_imagebuilder.providers.githost import Found
from jupyterhub_imagebuilder.providers.refs import quote_ref, unquote_ref

_NAME = re.compile(r"[a-z0-9_.-]{1,100}")
#: Pages that show one ref of a kind: ``src/branch/main``.
_KINDS = frozenset({"branch", "tag", "commit"})
_KIND_PAGES = frozenset({"src", "raw", "media", "commits", "blame", "rendered"})
_REPO_PARTS = 2
_KIND_PARTS = 3
_SPEC_PARTS = 4
_FORM = "host/org/repo/ref, for example codeberg.org/org/repo/HEAD"


class GiteaProvider(ForgeProvider):
    """Provider ``gitea``: see :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "gitea"
    _title: ClassVar[str] = "Gitea"

    hosts = List(
        Unicode(),
        default_value=["codeberg.org", "gitea.com"],
        config=True,
        help="""
        Hosts that Gitea or Forgejo runs on, with a port where it is not 443.

        Default: ``["codeberg.org", "gitea.com"]``.  The token is sent to all of them: with one,
        name the host alone that it is for.
        """,
    )

    @validate("hosts")
    def _check_hosts(self, proposal: dict[str, Any]) -> list[str]:
        return read_hosts(proposal["value"], "GiteaProvider.hosts")

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``host/org/repo/ref``; the ref may hold slashes."""
        parts = spec.split("/", _SPEC_PARTS - 1)
        if len(parts) < _SPEC_PARTS or not all(parts):
            raise SpecInvalid(f"A repository of Gitea or Forgejo is written {_FORM}.")
        host, org, repo = (unquote(part) for part in parts[:-1])
        if host.lower() not in self._hosts():
            raise SpecInvalid(
                "The host in the spec is none of the Gitea and Forgejo hosts of this hub."
            )
        return self._spec(host.lower(), (org, repo), unquote_ref(parts[-1]))

    def _hosts(self) -> list[str]:
        hosts: list[str] = self.hosts
        return hosts

    def _read_page(self, address: Address) -> Page:
        parts = page_parts(address)
        if len(parts) < _REPO_PARTS:
            raise SpecInvalid(
                f"A repository is missing in the address: write https://{address.authority}/org/repo."
            )
        project, rest = (parts[0], parts[1]), parts[_REPO_PARTS:]
        return Page(project, _ref_of_page(rest, address) if rest else None)

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:
        org, repo = (each.lower() for each in project)
        while repo.endswith(".git"):
            repo = repo.removesuffix(".git")
        if not all(_NAME.fullmatch(name) and name.strip(".") for name in (org, repo)):
            raise SpecInvalid("There is no organization or repository of such a name.")
        path = f"{org}/{repo}"
        # A ":" before a port is no separator in a spec.
        spec = f"{quote(host, safe='')}/{path}/{quote_ref(ref)}"
        return RepoSpec(self.id, f"https://{host}/{path}", ref, spec)

    def _token_header(self, token: str) -> tuple[str, str]:
        return "Authorization", f"token {token}"

    async def _by_api(self, repository: str, ref: str) -> Found | None:
        address = read_address(repository)
        options = {"sha": ref, "limit": 1, "stat": "false", "files": "false"}
        path = "/".join(quote(part, safe="") for part in page_parts(address))
        try:
            said = await self._api_at(f"https://{address.authority}/api/v1").get_json(
                f"repos/{path}/commits?{urlencode(options)}"
            )
        except RefNotFound:
            # git has seen the repository just before
            return None
        commit = said[0] if isinstance(said, list) and said else None
        return found_in(
            field(commit, "sha"),
            field(commit, "commit", "message"),
            field(commit, "commit", "committer", "date"),
        )


def _ref_of_page(rest: list[str], address: Address) -> str:
    repository = "/".join(address.parts[:_REPO_PARTS])
    if len(rest) >= _KIND_PARTS and rest[0] in _KIND_PAGES and rest[1] in _KINDS:
        return _of_kind(rest[1], rest[2:], in_path=rest[0] != "commits")
    if len(rest) > 1:
        if rest[0] == "commit":
            return rest[1]
        if rest[0] == "pulls":
            return request_ref("refs/pull/{}/head", rest[1], address, repository)
        if rest[:2] == ["releases", "tag"] and rest[2:]:
            return "/".join(rest[2:])
    raise inside_page(address, repository)


def _of_kind(kind: str, named: list[str], *, in_path: bool) -> str:
    if kind == "commit":
        return named[0]
    return ref_before_path(named) if in_path else "/".join(named)
