"""Repositories of GitLab, gitlab.com's and those of one's own.

Sources: GitLab's documentation of its commits API (docs.gitlab.com/api/commits), and of the
addresses of its pages, whose parts behind the project stand after "/-/".
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from traitlets import List, Unicode, validate

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import (
    ImageBuilderError,
    ProviderUnavailable,
    RefNotFound,
    SpecInvalid,
)
from jupyterhub_imagebuilder.providers.address import Address, read_address, scheme_of
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
from jupyterhub_imagebuilder.providers.githost import Found, missing
from jupyterhub_imagebuilder.providers.refs import quote_ref, unquote_ref

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.+-]{0,254}")
_REF_PAGES = frozenset({"commit", "commits", "tags"})
_PATH_PAGES = frozenset({"tree", "blob", "raw", "edit", "blame"})
#: The parts that GitLab had without "/-/" once; no project may be called so.
_OLD_PAGES = _REF_PAGES | _PATH_PAGES | {"merge_requests", "issues", "wikis", "blobs"}
_MIN_PARTS = 2
_FORM = "group%2Frepo/ref, for example group%2Frepo/HEAD"


class GitLabProvider(ForgeProvider):
    """Provider ``gl``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "gl"
    _title: ClassVar[str] = "GitLab"

    hosts = List(
        Unicode(),
        minlen=1,
        default_value=["gitlab.com"],
        config=True,
        help="""
        Hosts that GitLab runs on, with a port where it is not 443.

        Default: ``["gitlab.com"]``.  A spec that names no host means the first.  The token is sent
        to all of them.
        """,
    )

    @validate("hosts")
    def _check_hosts(self, proposal: dict[str, Any]) -> list[str]:
        return read_hosts(proposal["value"], "GitLabProvider.hosts")

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``<percent-encoded project>/<ref>``.

        The project of another host than the first is its percent-encoded address.
        """
        encoded, slash, ref = spec.partition("/")
        project = unquote(encoded).strip("/")
        if not slash or not ref or not project:
            raise SpecInvalid(f"A repository of GitLab is written {_FORM}.")
        if scheme_of(project) is None:
            return self._spec(self._hosts()[0], tuple(project.split("/")), unquote_ref(ref))
        found = self.from_url(project, unquote_ref(ref))
        if found is None:
            raise SpecInvalid("The host in the spec is none of the GitLab hosts of this hub.")
        return found

    def _hosts(self) -> list[str]:
        hosts: list[str] = self.hosts
        return hosts

    def _read_page(self, address: Address) -> Page:
        parts = page_parts(address)
        cut = next(
            (at for at, part in enumerate(parts) if part == "-" or (at > 1 and part in _OLD_PAGES)),
            len(parts),
        )
        project, rest = tuple(parts[:cut]), parts[cut:]
        if len(project) < _MIN_PARTS:
            raise SpecInvalid(
                f"A project is missing in the address: write https://{address.authority}/group/repo."
            )
        rest = rest[1:] if rest[:1] == ["-"] else rest
        return Page(project, _ref_of_page(rest, address, "/".join(project)) if rest else None)

    def _spec(self, host: str, project: tuple[str, ...], ref: str) -> RepoSpec:
        names = [each.lower() for each in project]
        while names[-1].endswith(".git"):
            names[-1] = names[-1].removesuffix(".git")
        if len(names) < _MIN_PARTS or not all(_NAME.fullmatch(name) for name in names):
            raise SpecInvalid("GitLab has no group or project of such a name.")
        path = "/".join(names)
        repository = f"https://{host}/{path}"
        named = path if host == self._hosts()[0] else repository
        return RepoSpec(self.id, repository, ref, f"{quote(named, safe='')}/{quote_ref(ref)}")

    def _git_address(self, repository: str) -> Address:
        # Without the suffix it would send there.
        return read_address(repository).with_suffix()

    async def _find(self, repository: str, ref: str) -> Found:
        """One answer of the API has the commit's title and date, too; git says what it does not."""
        trouble: ImageBuilderError | None = None
        if not ref.startswith("refs/"):
            try:
                found = await self._by_api(repository, ref)
            except RefNotFound as error:
                self.log.debug("GitLab's API does not tell: %s", error.message)
            except ProviderUnavailable as error:  # a limit, or a token that is for git alone
                self.log.warning("GitLab's API does not answer: %s", error.message)
                trouble = error
            else:
                return found
        by_git = await self._by_git(repository, ref)
        if by_git is None:
            raise trouble or missing(ref, repository, {})
        return by_git

    async def _by_api(self, repository: str, ref: str) -> Found:
        address = read_address(repository)
        project = quote("/".join(page_parts(address)), safe="")
        said = await self._api_at(f"https://{address.authority}/api/v4").get_json(
            f"projects/{project}/repository/commits/{quote(ref, safe='')}?stats=false",
            what=f"The repository {repository}",
        )
        return found_in(field(said, "id"), field(said, "message"), field(said, "committed_date"))


def _ref_of_page(rest: list[str], address: Address, project: str) -> str:
    if len(rest) > 1:
        if rest[0] in _REF_PAGES:
            return "/".join(rest[1:])
        if rest[0] in _PATH_PAGES:
            return ref_before_path(rest[1:])
        if rest[0] == "merge_requests":
            return request_ref("refs/merge-requests/{}/head", rest[1], address, project)
    raise inside_page(address, project)
