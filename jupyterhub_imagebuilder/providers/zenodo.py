"""Records of Zenodo, and of the other archives of its kind that repo2docker reads.

Source of the format: Zenodo's developers' pages, "Records: Retrieve"
(https://developers.zenodo.org/#records).
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import quote, urlsplit

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import Address, read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import (
    ArchiveProvider,
    Place,
    Version,
    date_of,
    matching,
    member,
    title_of,
)
from jupyterhub_imagebuilder.providers.doi import (
    RESOLVER,
    archive_of,
    doi_url,
    landing_page,
    quote_doi,
    read_doi,
)

#: The start of a record's page on each host, in the only spelling that repo2docker takes there.
_PAGES = {
    "zenodo.org": "https://zenodo.org/records/",
    "sandbox.zenodo.org": "https://sandbox.zenodo.org/record/",
    "data.caltech.edu": "https://data.caltech.edu/records/",
}
#: The start of DOIs that carry the record's number.
_PREFIXES = {"10.5281": "zenodo.org", "10.5072": "sandbox.zenodo.org"}
_NUMBERED = re.compile(r"(10\.(?:5281|5072))/zenodo\.([0-9]{1,12})", re.IGNORECASE)
_RECORD = re.compile(r"[0-9]{1,12}|[a-z0-9]{5}-[a-z0-9]{5}")


class ZenodoProvider(ArchiveProvider):
    """Provider ``zenodo``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`.

    A record is one version, and never changes; the DOI of all versions means the newest.
    """

    id: ClassVar[str] = "zenodo"
    form: ClassVar[str] = "<DOI>, for example 10.5281/zenodo.3242074"
    commit_form: ClassVar[re.Pattern[str]] = _RECORD
    api_url = RESOLVER
    #: Where the API of each host is.
    api_urls: ClassVar[dict[str, str]] = {host: f"https://{host}/api/records/" for host in _PAGES}

    def read(self, text: str) -> Place | None:
        """See the base.  Pages of files in a record mean the record."""
        doi = read_doi(text)
        if doi is not None:
            return _of_doi(doi) if archive_of(doi) == self.id else None
        if scheme_of(text) not in {"https", "http"}:
            return None
        address = read_address(text)
        if address.host.removeprefix("www.") not in _PAGES or address.port is not None:
            return None
        return _of_page(address)

    def read_spec(self, text: str) -> Place | None:
        """See the base.  Any DOI may be one of a record."""
        doi = read_doi(text)
        return self.read(text) if doi is None else _of_doi(doi)

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base."""
        page = spec.repository
        doi = read_doi(page)
        if doi is not None:
            page = await landing_page(self.host, doi)
        split = urlsplit(page)
        name, record = str(split.hostname), split.path.rstrip("/").rpartition("/")[2]
        if name not in _PAGES or not _RECORD.fullmatch(record):
            raise RefNotFound(
                f"The DOI {doi} leads to {name}, and to no record of Zenodo that could be built."
            )
        answer = await self.host.get_json(
            f"{self.api_urls[name]}{record}", what=f"The record {record} of {name}"
        )
        metadata = member(answer, "metadata", dict, name)
        return Version(
            matching(answer.get("id"), _RECORD, name),
            title_of(metadata.get("title")),
            date_of(answer.get("created")),
        )


def _of_record(host: str, record: str) -> Place:
    repository = f"{_PAGES[host]}{record}"
    for prefix, home in _PREFIXES.items():
        if home == host:
            return Place(repository, f"{prefix}/zenodo.{record}")
    return Place(repository, quote(repository, safe=""))


def _of_doi(doi: str) -> Place:
    numbered = _NUMBERED.fullmatch(doi)
    if numbered is not None:
        return _of_record(_PREFIXES[numbered[1]], numbered[2])
    if doi.lower().startswith(tuple(f"{prefix}/" for prefix in _PREFIXES)):
        raise SpecInvalid("A DOI of Zenodo ends with a number, as in 10.5281/zenodo.3242074.")
    return Place(doi_url(doi), quote_doi(doi))


def _of_page(address: Address) -> Place:
    host = address.host.removeprefix("www.")
    parts = list(address.parts)
    if parts[:1] == ["api"]:
        del parts[0]
    match parts:
        case ["record" | "records", record, *_] if _RECORD.fullmatch(record):
            return _of_record(host, record)
        case ["doi", *doi] if (read := read_doi("/".join(doi))) is not None:
            return _of_doi(read)
        case ["badge", "DOI", *doi] if (
            read := read_doi("/".join(doi).removesuffix(".svg"))
        ) is not None:
            return _of_doi(read)
        case ["deposit" | "uploads", *_]:
            raise SpecInvalid("This record is not published yet: only published ones are built.")
    raise SpecInvalid(
        f"The address is not that of a record: write https://{host}/records/ and its number."
    )
