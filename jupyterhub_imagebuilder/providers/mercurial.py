"""Mercurial repositories that can be read over HTTP without a login.

The server itself is asked, through the door, as ``hg identify`` would do outside of it; the program
is not needed.  Source of the format: ``hg help internals.wireprotocol``, "HTTP Transport" (version
1) and the commands ``lookup`` and ``branchmap``.
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import quote, unquote, urlencode

from traitlets import List, Unicode

from jupyterhub_imagebuilder.builds.model import Ref, RefKind, Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import unreadable
from jupyterhub_imagebuilder.providers.host import HostProvider
from jupyterhub_imagebuilder.providers.hostapi import HostApi
from jupyterhub_imagebuilder.providers.listing import suggested
from jupyterhub_imagebuilder.providers.refs import HEAD

_FORM = "<percent-encoded URL>/<ref>, for example https%3A%2F%2Fhg.example.org%2Frepo/default"
_PREFIX = "hg+"
_NODE = re.compile(r"[0-9a-f]{40}")
#: What a clone checks out: the bookmark of that name, the branch, or the newest commit.
_BRANCH = "default"
_DEFAULTS = ("@", _BRANCH, "tip")
_REF_LENGTH = 255
_ANSWER = re.compile(rb"([01]) ([^\n]*)\n?")
_MEDIA_TYPE = "application/mercurial-0.1"


class MercurialProvider(HostProvider):
    """Provider ``hg``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`."""

    id: ClassVar[str] = "hg"
    commit_form: ClassVar[re.Pattern[str]] = _NODE

    hosts = List(
        Unicode(),
        default_value=[
            "foss.heptapod.net",
            "hg.mozilla.org",
            "hg.sr.ht",
            "hg-edge.mozilla.org",
            "repo.mercurial-scm.org",
        ],
        config=True,
        help="""
        Hosts whose repositories are known to be Mercurial's.

        Default: some large public ones.  A repository of any other host is written with ``hg+`` in
        front, as in ``hg+https://hg.example.org/repo``.
        """,
    )

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._api: HostApi | None = None

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """See the port.  ``hg+https://`` is an address of any host."""
        marked = url[: len(_PREFIX)].lower() == _PREFIX
        plain = url[len(_PREFIX) :] if marked else url
        if scheme_of(plain) not in {"https", "http"}:
            return None
        address = read_address(plain)
        if not marked and address.host not in {host.lower() for host in self.hosts}:
            return None
        if address.extra:
            raise SpecInvalid(
                "Leave out what stands behind '?' or '#' in the repository's address."
            )
        return self._spec(str(address), _checked(HEAD if ref is None else ref))

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port.  The form is ``<percent-encoded URL>/<ref>``."""
        encoded, slash, ref = spec.partition("/")
        url = unquote(encoded)
        if url[: len(_PREFIX)].lower() != _PREFIX:
            url = f"{_PREFIX}{url}"
        found = self.from_url(url, unquote(ref)) if slash and ref else None
        if found is None:
            raise SpecInvalid(f"A repository of the provider hg is written {_FORM}.")
        return found

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port.  A whole commit id costs no question."""
        if _NODE.fullmatch(spec.ref):
            return ResolvedRef(spec, spec.ref)
        commit = await self.remembered((spec.repository, spec.ref), lambda: self._look_up(spec))
        return ResolvedRef(spec, commit)

    async def refs(self, spec: RepoSpec) -> Refs:
        """See the port.  Named branches: tags would take a clone to tell."""
        repository = spec.repository
        return await self.remembered((repository, None), lambda: self._branches(repository))

    async def close(self) -> None:
        """End what is under way, and the connections."""
        self._api = None
        await super().close()

    def _spec(self, repository: str, ref: str) -> RepoSpec:
        if _NODE.fullmatch(ref.lower()):
            ref = ref.lower()
        return RepoSpec(
            self.id, repository, ref, f"{quote(repository, safe='')}/{quote(ref, safe='/@+=,')}"
        )

    async def _look_up(self, spec: RepoSpec) -> str:
        for name in _DEFAULTS if spec.ref == HEAD else (spec.ref,):
            node = await self._asked(spec.repository, name)
            if node is not None:
                return node
        raise RefNotFound(
            f"There is no branch, bookmark, tag or commit {spec.ref} in the repository "
            f"{spec.repository}."
        )

    async def _asked(self, repository: str, name: str) -> str | None:
        """The whole id of the commit that the name means; None when it means none."""
        said = _ANSWER.fullmatch(await self._command(repository, cmd="lookup", key=name))
        host = read_address(repository).host
        if said is None:
            raise _no_repository(repository)
        if said[1] == b"0":
            return None
        node = said[2].decode(errors="replace")
        if not _NODE.fullmatch(node):
            raise unreadable(host)
        return node

    async def _branches(self, repository: str) -> Refs:
        refs = []
        for line in (await self._command(repository, cmd="branchmap")).splitlines():
            name, *nodes = line.decode("ascii", errors="replace").split(" ")
            # the last of a branch's heads is the newest, which is what its name means
            if not nodes or not _NODE.fullmatch(nodes[-1]):
                raise unreadable(read_address(repository).host)
            refs.append(Ref(unquote(name), RefKind.BRANCH, nodes[-1]))
        return suggested(refs, _BRANCH)

    async def _command(self, repository: str, **query: str) -> bytes:
        """What the server answers to a command of the wire protocol."""
        if self._api is None:
            self._api = self.api(repository)
        answer = await self._api.get(
            f"{repository}?{urlencode(query, quote_via=quote)}",
            accept=_MEDIA_TYPE,
            what=f"The repository {repository}",
        )
        if not answer.headers.get("Content-Type", "").startswith("application/mercurial-"):
            raise _no_repository(repository)
        return answer.body


def _no_repository(repository: str) -> RefNotFound:
    return RefNotFound(f"There is no Mercurial repository at {repository}.")


def _checked(ref: str) -> str:
    """Return a name that Mercurial could have; it forbids less than git.

    :raises SpecInvalid: it could not, or an option or an expression would be read in it.
    """
    if (
        not ref
        or len(ref) > _REF_LENGTH
        or not ref.isprintable()
        or ref != ref.strip()
        or ref.startswith("-")
        or any(char in ref for char in ":()\\")
    ):
        raise SpecInvalid(
            "What stands for the ref cannot be the name of a branch, bookmark or tag, nor a commit."
        )
    return ref
