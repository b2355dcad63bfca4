"""Frozen records: who asked for what, what it meant, and which image it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote


class OwnerKind(StrEnum):
    """Who stands behind a request."""

    USER = "user"  #: a user of the hub
    SERVICE = "service"  #: a service of the hub, with its own token
    TOKEN = "token"  # noqa: S105  #: one of our own API tokens, without a hub


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asks for a build."""

    name: str
    kind: OwnerKind = OwnerKind.USER
    groups: frozenset[str] = frozenset()
    admin: bool = False


@dataclass(frozen=True, slots=True)
class RepoSpec:
    """A repository and a ref, as a provider understood them."""

    provider: str  #: id of the provider, ``gh`` or ``git``
    repository: str  #: canonical URL with its host: what is cloned, and what identifies it
    ref: str  #: branch, tag or commit as asked; ``HEAD`` is the default branch
    spec: str  #: canonical spec within the provider, ``org/repo/ref``

    def __str__(self) -> str:
        return f"{self.provider}/{self.spec}"


@dataclass(frozen=True, slots=True)
class ResolvedRef:
    """What a ref meant at one moment."""

    spec: RepoSpec
    commit: str  #: full commit id (or another immutable id)
    title: str | None = field(default=None, compare=False)  #: first line of its message
    date: float | None = field(default=None, compare=False)  #: seconds since the epoch

    @property
    def pinned(self) -> str:
        """What one would write to get this very commit, whatever the ref means by then."""
        provider, spec, ref = self.spec.provider, self.spec.spec, self.spec.ref
        repository, *written = spec.rsplit("/", ref.count("/") + 1)
        if not ref or unquote("/".join(written)) != ref:
            return f"build:{self.spec}"  # an archive's spec names what never changes
        return f"build:{provider}/{repository}/{self.commit}"


class RefKind(StrEnum):
    """What a name of a commit is."""

    BRANCH = "branch"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or a tag."""

    name: str  #: as one writes it behind ``@``
    kind: RefKind
    commit: str  #: which it means now


@dataclass(frozen=True, slots=True)
class Refs:
    """What of a repository's branches and tags can be suggested; none where it has none."""

    refs: tuple[Ref, ...] = ()  #: the default branch, other branches, tags from the newest on
    default: str | None = None  #: the branch that the host shows first; None: it does not say
    more: bool = False  #: whether there are others


@dataclass(frozen=True, slots=True)
class ImageName:
    """``registry/repository:tag``; the digest comes from the registry."""

    registry: str  #: host with port; empty where no registry is configured
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"

    @property
    def name(self) -> str:
        """Registry and repository, without the tag."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    def at(self, digest: str) -> str:
        """The image pinned to its content, ``registry/repository@sha256:…``."""
        return f"{self.name}@{digest}"


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Everything that is needed to build; the same key is the same image."""

    id: str  #: of this build, unique for ever: what the REST API calls it
    key: str  #: hex SHA-256 of repository, commit, build settings and platform
    name: str  #: build name: DNS-safe, follows from the key alone
    resolved: ResolvedRef
    image: ImageName
    owner: Owner
    created: float = field(compare=False)  #: seconds since the epoch

    @property
    def spec(self) -> RepoSpec:
        """The repository and ref as asked."""
        return self.resolved.spec
