"""A provider that knows what it is told; passes the same contract suite as the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import quote, unquote

from jupyterhub_imagebuilder.builds.model import Ref, RefKind, Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.ports import FULL_COMMIT
from jupyterhub_imagebuilder.errors import ImageBuilderError, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.listing import suggested
from jupyterhub_imagebuilder.providers.refs import HEAD, check_ref, quote_ref, unquote_ref


class FakeProvider:
    """Answers from ``commits``: (canonical URL, ref) -> commit.

    ``tags`` says which of the names are tags.  ``failures`` is raised instead, by the same key or
    by the URL alone, for as long as it is there.  ``calls`` counts what was resolved.
    """

    commit_form = FULL_COMMIT

    def __init__(
        self,
        commits: Mapping[tuple[str, str], str] | None = None,
        *,
        id: str = "git",  # noqa: A002
    ) -> None:
        self.id = id
        self.commits = dict(commits or {})
        self.tags: set[str] = set()
        self.failures: dict[tuple[str, str] | str, ImageBuilderError] = {}
        self.calls: Counter[tuple[str, str]] = Counter()

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        if scheme_of(url) not in {"https", "git"}:
            return None
        repository = str(read_address(url))
        ref = HEAD if ref is None else check_ref(ref)
        spec = f"{quote(repository, safe='')}/{quote_ref(ref)}"
        return RepoSpec(self.id, repository, ref, spec)

    def from_spec(self, spec: str) -> RepoSpec:
        url, slash, ref = spec.partition("/")
        found = self.from_url(unquote(url), unquote_ref(ref)) if slash else None
        if found is None:
            raise SpecInvalid("A repository is written <percent-encoded URL>/<ref>.")
        return found

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        key = (spec.repository, spec.ref)
        self.calls[key] += 1
        failure = self.failures.get(key) or self.failures.get(spec.repository)
        if failure is not None:
            raise failure
        try:
            return ResolvedRef(spec, self.commits[key])
        except KeyError:
            raise RefNotFound(
                f"There is no branch, tag or commit {spec.ref} in the repository {spec.repository}."
            ) from None

    async def refs(self, spec: RepoSpec) -> Refs:
        self.calls[spec.repository, "refs"] += 1
        if failure := self.failures.get(spec.repository):
            raise failure
        names = {
            ref: commit
            for (url, ref), commit in self.commits.items()
            if url == spec.repository and ref != HEAD and not commit.startswith(ref)
        }
        if not names:
            raise RefNotFound(f"The repository {spec.repository} does not exist or is private.")
        head = self.commits.get((spec.repository, HEAD))
        default = next((name for name, commit in names.items() if commit == head), None)
        kinds = {name: RefKind.TAG if name in self.tags else RefKind.BRANCH for name in names}
        return suggested([Ref(name, kinds[name], names[name]) for name in names], default)
