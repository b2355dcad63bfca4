"""Resources of HydroShare.

Source of the format: HydroShare's API documentation, "resource: scimeta: elements"
(https://www.hydroshare.org/hsapi/).
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
    epoch_of,
    member,
    members,
    title_of,
    unreadable,
)
from jupyterhub_imagebuilder.providers.doi import archive_of, read_doi

_HOST = "www.hydroshare.org"
_HOSTS = frozenset({_HOST, "hydroshare.org"})
_RESOURCE = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_DOI = re.compile(r"10\.4211/hs\.([0-9a-f]{32})", re.IGNORECASE)
#: Parts of a path in front of a resource's id.
_PAGES = ("resource", "hsapi/resource", "django_s3/download/bags", "resource/data/contents")


class HydroShareProvider(ArchiveProvider):
    """Provider ``hydroshare``: implements the port ``RepoProvider``.

    HydroShare keeps no history: the id of a version is the resource's with the time of its last
    change, and only the newest can be built.
    """

    id: ClassVar[str] = "hydroshare"
    form: ClassVar[str] = "<id of the resource>, which are the 32 digits at the end of its address"
    commit_form: ClassVar[re.Pattern[str]] = re.compile(r"[0-9a-f]{32}\.v[0-9]{1,12}")
    api_url = f"https://{_HOST}/hsapi"

    def read(self, text: str) -> Place | None:
        """See the base.  Pages of files in a resource mean the resource."""
        doi = read_doi(text)
        if doi is not None:
            return _of_doi(doi) if archive_of(doi) == self.id else None
        if scheme_of(text) not in {"https", "http"}:
            return None
        address = read_address(text)
        if address.host not in _HOSTS or address.port is not None:
            return None
        for index, part in enumerate(address.parts):
            resource = part.removesuffix(".zip")
            if _RESOURCE.fullmatch(resource) and "/".join(address.parts[:index]) in _PAGES:
                return _place(resource)
        raise SpecInvalid(
            f"The address is not that of a resource: write https://{_HOST}/resource/ and its id."
        )

    def read_spec(self, text: str) -> Place | None:
        """See the base.  The id alone will do."""
        if _RESOURCE.fullmatch(text):
            return _place(text)
        doi = read_doi(text)
        return self.read(text) if doi is None else _of_doi(doi)

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base."""
        resource = spec.repository.rpartition("/")[2]
        answer = await self.host.get_json(
            f"resource/{resource}/scimeta/elements/", what=f"The resource {resource} of HydroShare"
        )
        changed = next(
            (
                member(date, "start_date", str, _HOST)
                for date in members(answer, "dates", _HOST)
                if member(date, "type", str, _HOST) == "modified"
            ),
            None,
        )
        if changed is None:
            raise unreadable(_HOST)
        seconds = epoch_of(changed, _HOST)
        title = answer.get("title")
        return Version(
            f"{resource}.v{seconds}",
            title_of(title.get("value") if isinstance(title, dict) else title),
            float(seconds),
        )


def _of_doi(doi: str) -> Place:
    named = _DOI.fullmatch(doi)
    if named is None:
        raise SpecInvalid("A DOI of HydroShare is 10.4211/hs. with the resource's id behind it.")
    return _place(named[1])


def _place(resource: str) -> Place:
    resource = resource.lower()
    return Place(f"https://{_HOST}/resource/{resource}", resource)
