"""Datasets of Dataverse installations.

Source of the format: Dataverse's API guide, "Native API": "Get Version of a Dataset" and "Getting
File Metadata" (https://guides.dataverse.org/en/latest/api/native-api.html).
"""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import (
    ArchiveProvider,
    Place,
    Version,
    date_of,
    matching,
    member,
    title_of,
    unreadable,
)
from jupyterhub_imagebuilder.providers.doi import (
    RESOLVER,
    archive_of,
    doi_url,
    landing_page,
    quote_doi,
    read_doi,
)
from jupyterhub_imagebuilder.providers.refs import HEAD

_NUMBER = re.compile(r"[0-9]{1,9}")
_FILE = re.compile(r"[0-9]{1,12}")
_REF = re.compile(r"v[0-9]{1,9}\.[0-9]{1,9}")
_VERSION = re.compile(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_HANDLE = re.compile(r"(?:hdl|perma):[A-Za-z0-9._-]{1,50}[/A-Za-z0-9._-]{1,150}")
_NEWEST = frozenset({"", ":latest", ":latest-published"})
_DATAFILE = "api/access/datafile"


class _Page(NamedTuple):
    """A page of a dataset, or of a file in one."""

    root: str  #: the installation's address
    kind: str  #: dataset.xhtml, file.xhtml, citation (which is of either), or datafile
    name: str  #: persistent id, or a file's number
    ref: str = HEAD

    @property
    def url(self) -> str:
        """In the spelling that repo2docker takes."""
        if self.kind == _DATAFILE:
            return f"{self.root}/{self.kind}/{self.name}"
        return f"{self.root}/{self.kind}?persistentId={quote(self.name, safe=':/')}"


class DataverseProvider(ArchiveProvider):
    """Provider ``dataverse``: implements the port ``RepoProvider``.

    A dataset's published versions are numbered and never change; no version is the newest.
    """

    id: ClassVar[str] = "dataverse"
    form: ClassVar[str] = "<DOI>, for example 10.7910/DVN/TJCLKP"
    commit_form: ClassVar[re.Pattern[str]] = _REF
    api_url = RESOLVER  # installations are asked by their whole addresses

    def read(self, text: str) -> Place | None:
        """See the base.  DOIs that do not look like another archive's are tried here."""
        doi = read_doi(text)
        if doi is not None:
            return _of_doi(doi, text) if archive_of(doi) is None else None
        page = _read_page(text)
        return None if page is None else _of_page(page)

    def read_spec(self, text: str) -> Place | None:
        """See the base."""
        doi = read_doi(text)
        return self.read(text) if doi is None else _of_doi(doi, text)

    def placed(self, place: Place, ref: str) -> Place:
        """See the base.  ``v1.0`` is that version."""
        if ref == place.ref:
            return place
        named = _VERSION.fullmatch(ref)
        if named is None or place.ref != HEAD:
            return super().placed(place, ref)
        return _versioned(place.repository, f"v{named[1]}.{named[2] or 0}")

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base."""
        doi = read_doi(spec.repository)
        url = spec.repository if doi is None else await landing_page(self.host, doi)
        try:
            page = _read_page(url)
        except SpecInvalid as error:
            raise RefNotFound(f"The DOI {doi} leads to no dataset of a Dataverse.") from error
        if page is None:
            raise RefNotFound(
                f"The DOI {doi} leads to {urlsplit(url).netloc}, "
                "which is no archive that repositories are built from."
            )
        if page.kind in {"dataset.xhtml", "citation"}:
            try:
                return await self._version(page.root, page.name, spec.ref)
            except RefNotFound:
                if page.kind == "dataset.xhtml":
                    raise
        dataset = await self._of_file(page.root, page.name)
        return await self._version(page.root, dataset, spec.ref)

    async def _of_file(self, root: str, name: str) -> str:
        query = {"returnDatasetVersion": "true"}
        path = name
        if not _FILE.fullmatch(name):
            path, query = ":persistentId", {"persistentId": name} | query
        host = urlsplit(root).netloc
        answer = await self.host.get_json(
            f"{root}/api/files/{path}?{urlencode(query, safe=':/')}",
            what=f"The dataset or file {name} of {host}",
        )
        version = member(member(answer, "data", dict, host), "datasetVersion", dict, host)
        try:
            return _persistent(member(version, "datasetPersistentId", str, host))
        except SpecInvalid as error:
            raise unreadable(host) from error

    async def _version(self, root: str, name: str, ref: str) -> Version:
        host = urlsplit(root).netloc
        wanted = ":latest-published" if ref == HEAD else ref.removeprefix("v")
        query = {"persistentId": name, "excludeFiles": "true"}
        answer = await self.host.get_json(
            f"{root}/api/datasets/:persistentId/versions/{wanted}?{urlencode(query, safe=':/')}",
            what=f"A published version of the dataset {name} of {host}",
        )
        data = member(answer, "data", dict, host)
        major = matching(data.get("versionNumber"), _NUMBER, host)
        minor = matching(data.get("versionMinorNumber"), _NUMBER, host)
        return Version(f"v{major}.{minor}", _title(data), date_of(data.get("releaseTime")))


def _of_doi(doi: str, text: str) -> Place:
    """The dataset of a DOI.

    :param text: in which the DOI was read; its address may have a version behind it.
    """
    # in a DOI alone, a question mark is one of its characters
    query = urlsplit(text).query if scheme_of(text) else ""
    ref = _ref(parse_qs(query).get("version", [""])[0])
    place = Place(doi_url(doi), quote_doi(doi))
    return place if ref == HEAD else _versioned(place.repository, ref)


def _of_page(page: _Page) -> Place:
    if page.ref != HEAD:
        return _versioned(page.url, page.ref)
    return Place(page.url, quote(page.url, safe=""))


def _versioned(repository: str, ref: str) -> Place:
    """A version has no form of BinderHub's: it is written as in the address of its page."""
    mark = "&" if "?" in repository else "?"
    return Place(repository, quote(f"{repository}{mark}version={ref[1:]}", safe=""), ref)


def _read_page(text: str) -> _Page | None:
    """Read the address of a page; None when it is not one of a Dataverse.

    :raises SpecInvalid: it is, and names no dataset.
    """
    if scheme_of(text) not in {"https", "http"}:
        return None
    address = read_address(text)
    path = "/".join(address.parts)
    if path not in {"dataset.xhtml", "file.xhtml", "citation"} and not path.startswith(
        f"{_DATAFILE}/"
    ):
        return None
    split = urlsplit(text)
    root = urlsplit(str(address))._replace(path="").geturl()
    query = {name: values[0] for name, values in parse_qs(split.query).items()}
    ref = _ref(query.get("version", ""))
    number = query.get("fileId", path.removeprefix(f"{_DATAFILE}/"))
    if "persistentId" in query:
        kind = "file.xhtml" if path.startswith(_DATAFILE) else path
        return _Page(root, kind, _persistent(query["persistentId"]), ref)
    if _FILE.fullmatch(number):
        return _Page(root, _DATAFILE, number, ref)
    raise SpecInvalid(
        "The address names no dataset: write the DOI on its page, as in 10.7910/DVN/TJCLKP."
    )


def _persistent(name: str) -> str:
    """A persistent id in one spelling."""
    doi = read_doi(name)
    if doi is not None:
        return f"doi:{doi}"
    if _HANDLE.fullmatch(name):
        return name
    raise SpecInvalid(
        "The address names no dataset: write the DOI on its page, as in 10.7910/DVN/TJCLKP."
    )


def _ref(version: str) -> str:
    if version in _NEWEST:
        return HEAD
    named = _VERSION.fullmatch(version)
    if named is None:
        raise SpecInvalid("Only published versions are built, such as version=1.0.")
    return f"v{named[1]}.{named[2] or 0}"


def _title(data: dict[str, object]) -> str | None:
    """The title, which stands deep in what is said of a version."""
    blocks = data.get("metadataBlocks")
    citation = blocks.get("citation") if isinstance(blocks, dict) else None
    fields = citation.get("fields") if isinstance(citation, dict) else None
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and field.get("typeName") == "title":
            return title_of(field.get("value"))
    return None
