"""What the Software Heritage archive keeps, by its identifiers.

Sources of the formats: "SoftWare Hash IDentifiers", ISO/IEC 18670 (https://www.swhid.org), and the
archive's API documentation, "Release" (https://archive.softwareheritage.org/api/1/release/doc/).
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import unquote

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import (
    ArchiveProvider,
    Place,
    Version,
    date_of,
    matching,
    title_of,
)

_HOST = "archive.softwareheritage.org"
_SWHID = re.compile(r"swh:1:(ori|cnt|rev|dir|snp|rel):([0-9a-f]{40})", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{40}")
_KINDS = {"revision": "rev", "directory": "dir", "release": "rel"}
_FORM = "swh:1:rev: and the 40 digits of a revision"


class SoftwareHeritageProvider(ArchiveProvider):
    """Provider ``swh``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`.

    Identifiers are hashes of what they mean: for a revision and a directory nobody is asked.
    """

    id: ClassVar[str] = "swh"
    form: ClassVar[str] = _FORM
    commit_form: ClassVar[re.Pattern[str]] = re.compile(r"swh:1:(?:rev|dir):[0-9a-f]{40}")
    api_url = f"https://{_HOST}/api/1"

    def read(self, text: str) -> Place | None:
        """See the base.  Qualifiers behind an identifier's ``;`` say nothing of its content."""
        if text[:4].lower() == "swh:":
            return _place(text)
        if scheme_of(text) not in {"https", "http"}:
            return None
        address = read_address(text)
        if address.host != _HOST or address.port is not None:
            return None
        parts = [unquote(part) for part in address.parts]
        match parts:
            case [swhid, *_] if swhid[:4].lower() == "swh:":
                return _place(swhid)
            case ["browse", kind, digits, *_] if kind in _KINDS:
                return _place(f"swh:1:{_KINDS[kind]}:{digits}")
            case ["browse", swhid, *_] if swhid[:4].lower() == "swh:":
                return _place(swhid)
        raise SpecInvalid(
            "The address is not that of a revision: copy its SWHID from the page's "
            f"'Permalinks', which is {_FORM}."
        )

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base.  A release is the revision that it names."""
        swhid = spec.repository.rpartition("/")[2]
        _, _, kind, digits = swhid.split(":")
        if kind != "rel":
            return Version(swhid)
        answer = await self.host.get_json(f"release/{digits}/", what=f"The release {swhid}")
        fields = answer if isinstance(answer, dict) else {}
        target = _KINDS.get(str(fields.get("target_type")))
        if target not in {"rev", "dir"}:
            raise RefNotFound(
                "This release names no revision that could be built: give that of the revision, "
                f"{_FORM}."
            )
        return Version(
            f"swh:1:{target}:{matching(fields.get('target'), _HASH, _HOST)}",
            title_of(fields.get("message")),
            date_of(fields.get("date")),
        )


def _place(text: str) -> Place:
    core = text.partition(";")[0]
    match = _SWHID.fullmatch(core)
    if match is None:
        raise SpecInvalid(f"This is no identifier of Software Heritage: write {_FORM}.")
    if match[1].lower() not in _KINDS.values():
        raise SpecInvalid(
            "This identifier of Software Heritage means no single version of a repository: "
            f"give that of a revision, {_FORM}."
        )
    swhid = core.lower()
    return Place(f"https://{_HOST}/{swhid}", swhid)
