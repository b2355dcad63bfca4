"""What archives have in common: no branches, answers in JSON, ids of versions that stay."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import unquote

from jupyterhub_imagebuilder.builds.model import Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecInvalid
from jupyterhub_imagebuilder.providers.host import HostProvider
from jupyterhub_imagebuilder.providers.hostapi import HostApi
from jupyterhub_imagebuilder.providers.refs import HEAD

T = TypeVar("T")

_TITLE_LENGTH = 200


class Place(NamedTuple):
    """A dataset, as it was read from what somebody wrote."""

    repository: str  #: canonical URL
    spec: str  #: canonical spec
    ref: str = HEAD  #: the version that was named; HEAD is the newest


class Version(NamedTuple):
    """What a dataset's ref means now."""

    id: str  #: immutable
    title: str | None = None
    date: float | None = None  #: seconds since the epoch


class ArchiveProvider(HostProvider):
    """Base of providers whose repositories are datasets; subclasses read and look up."""

    id: ClassVar[str]
    #: How a repository of this provider is written, for the sentence of a refusal.
    form: ClassVar[str]
    #: What :meth:`resolve` answers with; nothing else may be built.
    commit_form: ClassVar[re.Pattern[str]]
    #: Where the provider asks; absolute addresses may lead elsewhere.
    api_url: str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._api: HostApi | None = None

    def from_url(self, url: str, ref: str | None) -> RepoSpec | None:
        """See the port.  DOIs are addresses, too, however they are written."""
        place = self.read(url)
        return None if place is None else self._spec(place, ref)

    def from_spec(self, spec: str) -> RepoSpec:
        """See the port."""
        place = self.read_spec(unquote(spec))
        if place is None:
            raise SpecInvalid(f"A repository of the provider {self.id} is written {self.form}.")
        return self._spec(place, None)

    async def resolve(self, spec: RepoSpec) -> ResolvedRef:
        """See the port."""
        version = await self.remembered((spec.repository, spec.ref), lambda: self.look_up(spec))
        return ResolvedRef(spec, version.id, version.title, version.date)

    async def refs(self, spec: RepoSpec) -> Refs:  # noqa: ARG002
        """See the port.  A dataset has none."""
        return Refs()

    async def close(self) -> None:
        """End what is under way, and the connections."""
        self._api = None
        await super().close()

    @abstractmethod
    def read(self, text: str) -> Place | None:
        """Read an address; None when it is not one of this provider's.

        :raises SpecInvalid: it is, and wrong.
        """

    def read_spec(self, text: str) -> Place | None:
        """Read a spec, whose escapes are undone: where it can be more than an address."""
        return self.read(text)

    @abstractmethod
    async def look_up(self, spec: RepoSpec) -> Version:
        """Ask what the ref means; raises as :meth:`resolve` does."""

    def placed(self, place: Place, ref: str) -> Place:
        """The dataset at a ref that was given beside its address.

        :raises SpecInvalid: there are no refs.
        """
        if ref != place.ref:
            raise SpecInvalid(
                "A dataset has no branches: leave out what stands behind the '@' of its address."
            )
        return place

    @property
    def host(self) -> HostApi:
        """Client of ``api_url``."""
        if self._api is None:
            self._api = self.api(self.api_url)
        return self._api

    def _spec(self, place: Place, ref: str | None) -> RepoSpec:
        if ref is not None:
            place = self.placed(place, ref)
        return RepoSpec(self.id, place.repository, place.ref, place.spec)


def unreadable(host: str) -> ProviderUnavailable:
    """An answer that does not have the documented form."""
    return ProviderUnavailable(f"The host {host} answers in a form that is not understood.")


def member(answer: object, name: str, kind: type[T], host: str) -> T:
    """A member of an object in JSON.

    :raises ProviderUnavailable: it is not there, or of another type.
    """
    value = answer.get(name) if isinstance(answer, dict) else None
    # JSON's true is no number, Python's is
    if not isinstance(value, kind) or isinstance(value, bool):
        raise unreadable(host)
    return value


def members(answer: object, name: str, host: str) -> Iterator[object]:
    """The elements of a list in JSON; raises as :func:`member` does."""
    return iter(member(answer, name, list, host))


def matching(text: object, form: re.Pattern[str], host: str) -> str:
    """An id of a known form, which is safe in a path, an argument, and a name of an image.

    :param text: may be a number.
    :raises ProviderUnavailable: it has another form.
    """
    plain = str(text) if isinstance(text, str | int) and not isinstance(text, bool) else ""
    if not form.fullmatch(plain):
        raise unreadable(host)
    return plain


def title_of(text: object) -> str | None:
    """A title that is fit to be shown; None where there is none."""
    if not isinstance(text, str):
        return None
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:_TITLE_LENGTH] or None


def date_of(text: object) -> float | None:
    """A time in ISO 8601, in UTC where it does not say; None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def epoch_of(text: object, host: str) -> int:
    """Whole seconds of a time in ISO 8601, read as repo2docker does: without its time zone.

    :raises ProviderUnavailable: it is none.
    """
    seconds = date_of(text[:19]) if isinstance(text, str) else None
    if seconds is None or seconds < 0:
        raise unreadable(host)
    return int(seconds)
