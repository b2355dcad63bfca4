"""Items of Figshare and of the portals that institutions have there.

Source of the format: Figshare's API documentation, "View article details" and "Public Article
Details for version" (https://docs.figshare.com/#public_article).
"""

from __future__ import annotations

import re
from typing import ClassVar

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import (
    ArchiveProvider,
    Place,
    Version,
    date_of,
    matching,
    title_of,
)
from jupyterhub_imagebuilder.providers.doi import archive_of, read_doi
from jupyterhub_imagebuilder.providers.refs import HEAD

_HOST = "figshare.com"
_DOI = re.compile(r"10\.6084/m9\.figshare\.([0-9]{1,12})(?:\.v([1-9][0-9]{0,4}))?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,12}")
_VERSION = re.compile(r"[1-9][0-9]{0,4}")
#: What stands before the title in newer addresses: the item's type.
_KINDS = frozenset(
    {
        "book",
        "chapter",
        "code",
        "composition",
        "conference_contribution",
        "data_management_plan",
        "dataset",
        "educational_resource",
        "event",
        "figure",
        "journal_contribution",
        "media",
        "model",
        "monograph",
        "online_resource",
        "performance",
        "physical_object",
        "poster",
        "preprint",
        "presentation",
        "report",
        "software",
        "standard",
        "thesis",
        "workflow",
    }
)
_REF = re.compile(r"v([1-9][0-9]{0,4})")


class FigshareProvider(ArchiveProvider):
    """Provider ``figshare``: implements the port ``RepoProvider``.

    An item's versions are numbered and never change; no version is the newest.
    """

    id: ClassVar[str] = "figshare"
    form: ClassVar[str] = "<DOI>, for example 10.6084/m9.figshare.9782777.v3"
    commit_form: ClassVar[re.Pattern[str]] = re.compile(r"[0-9]{1,12}\.v[1-9][0-9]{0,4}")
    api_url = "https://api.figshare.com/v2"

    def read(self, text: str) -> Place | None:
        """See the base.  The address of an item may name its version at the end."""
        doi = read_doi(text)
        if doi is not None:
            return _of_doi(doi) if archive_of(doi) == self.id else None
        if scheme_of(text) not in {"https", "http"}:
            return None
        address = read_address(text)
        host = address.host
        if (host != _HOST and not host.endswith(f".{_HOST}")) or address.port is not None:
            return None
        parts = list(address.parts)
        if parts[:1] == ["v2"] or parts[:1] == ["account"]:
            del parts[0]
        return _of_page(parts)

    def read_spec(self, text: str) -> Place | None:
        """See the base.  A DOI of another look is refused, as it names no item by its number."""
        doi = read_doi(text)
        return self.read(text) if doi is None else _of_doi(doi)

    def placed(self, place: Place, ref: str) -> Place:
        """See the base.  ``v3`` is the third version."""
        version = _REF.fullmatch(ref)
        if version is not None and place.ref in {HEAD, ref}:
            return _place(place.repository.rpartition("/")[2], version[1])
        return super().placed(place, ref)

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base."""
        number = spec.repository.rpartition("/")[2]
        named = _REF.fullmatch(spec.ref)
        path, what = f"articles/{number}", f"The item {number} of Figshare"
        if named:
            path, what = f"{path}/versions/{named[1]}", f"Version {named[1]} of {what.lower()}"
        answer = await self.host.get_json(path, what=what)
        fields = answer if isinstance(answer, dict) else {}
        version = matching(fields.get("version"), _VERSION, _HOST)
        return Version(
            f"{number}.v{version}",
            title_of(fields.get("title")),
            date_of(fields.get("published_date")),
        )


def _place(number: str, version: str | None) -> Place:
    doi = f"10.6084/m9.figshare.{number}"
    # Figshare fills in the title; repo2docker wants some part in its place
    repository = f"https://{_HOST}/articles/_/{number}"
    if version is None:
        return Place(repository, doi)
    return Place(repository, f"{doi}.v{version}", f"v{version}")


def _of_doi(doi: str) -> Place:
    numbered = _DOI.fullmatch(doi)
    if numbered is None:
        raise SpecInvalid(
            "A DOI of Figshare ends with a number, as in 10.6084/m9.figshare.9782777; "
            "give the address of the item's page instead of another one."
        )
    return _place(numbered[1], numbered[2])


def _of_page(parts: list[str]) -> Place:
    match parts:
        case ["articles", number, "versions", version]:
            return _checked(number, version)
        case ["articles", kind, *rest] if kind in _KINDS:
            return _of_names(rest)
        case ["articles", *rest]:
            return _of_names(rest)
        case ["s", *_]:
            raise SpecInvalid("This item is not published yet: only published ones are built.")
    raise _no_item()


def _of_names(names: list[str]) -> Place:
    """Read ``[title/]number[/version]``; a title can be a number, too."""
    match names:
        case [number] | [_, number]:
            return _checked(number, None)
        case [_, number, version]:
            return _checked(number, version)
    raise _no_item()


def _checked(number: str, version: str | None) -> Place:
    if not _NUMBER.fullmatch(number) or (version is not None and not _VERSION.fullmatch(version)):
        raise _no_item()
    return _place(number, version)


def _no_item() -> SpecInvalid:
    return SpecInvalid(
        "The address is not that of an item: write the DOI on its page, "
        "as in 10.6084/m9.figshare.9782777."
    )
