"""Datasets of CKAN portals.

Source of the format: CKAN's documentation, "API guide", ``package_show``
(https://docs.ckan.org/en/latest/api/).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from traitlets import List, Unicode

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of
from jupyterhub_imagebuilder.providers.archive import (
    ArchiveProvider,
    Place,
    Version,
    epoch_of,
    member,
    title_of,
)

#: CKAN's rule for names of datasets, and no option at the start; ids are UUIDs, which fit, too.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{1,99}")
_ACTIVITY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATASET = "dataset"


class CKANProvider(ArchiveProvider):
    """Provider ``ckan``: implements :class:`~jupyterhub_imagebuilder.builds.ports.RepoProvider`.

    The id of a version is the dataset's name with the time of its last change, and only the newest
    can be built; or it is the id of an activity, which is one state in a dataset's history.
    """

    hosts = List(
        Unicode(),
        default_value=[
            "catalog.data.gov",
            "data.gov.au",
            "data.gov.ie",
            "data.humdata.org",
            "demo.ckan.org",
            "open.canada.ca",
            "www.data.gov.uk",
        ],
        config=True,
        help="""
        Portals whose addresses are known to be datasets' without the word ``ckan``.

        Default: some large public ones.  A dataset of any other portal is written
        ``build:ckan/<percent-encoded address>``.
        """,
    )

    id: ClassVar[str] = "ckan"
    form: ClassVar[str] = (
        "<percent-encoded address of the dataset>, for example "
        "https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fsample-dataset-1"
    )
    commit_form: ClassVar[re.Pattern[str]] = re.compile(
        rf"{_NAME.pattern}\.v[0-9]{{1,12}}|{_ACTIVITY.pattern}"
    )
    api_url = "https://demo.ckan.org"  # whole addresses are asked, each of its own host

    def read(self, text: str) -> Place | None:
        """See the base.  Only of portals that are known: any host can have such a path."""
        if scheme_of(text) not in {"https", "http"}:
            return None
        address = read_address(text)
        if address.host not in {host.lower() for host in self.hosts}:
            return None
        return self._place(text)

    def read_spec(self, text: str) -> Place | None:
        """See the base.  Of any portal."""
        return self._place(text) if scheme_of(text) in {"https", "http"} else None

    async def look_up(self, spec: RepoSpec) -> Version:
        """See the base."""
        split = urlsplit(spec.repository)
        prefix, _, name = split.path.rpartition(f"/{_DATASET}/")
        api = split._replace(
            path=f"{prefix}/api/3/action/package_show", query=urlencode({"id": name})
        )
        host = split.netloc
        answer = await self.host.get_json(
            api.geturl(), what=f"The dataset {name} of {host}, or its CKAN portal,"
        )
        dataset = member(answer, "result", dict, host)
        changed = epoch_of(dataset.get("metadata_modified"), host)
        activity = parse_qs(split.query).get("activity_id")
        return Version(
            activity[0] if activity else f"{name}.v{changed}",
            title_of(dataset.get("title")),
            None if activity else float(changed),
        )

    def _place(self, text: str) -> Place:
        address = read_address(text)
        parts = list(address.parts)
        if parts.count(_DATASET) != 1 or parts[-1] == _DATASET:
            raise _no_dataset()
        at = parts.index(_DATASET)
        behind = parts[at + 1 :]
        if behind[0] in {"activity", "groups", "edit", "changes"} and len(behind) > 1:
            del behind[0]
        if not _NAME.fullmatch(behind[0]):
            raise _no_dataset()
        repository = str(replace(address, parts=(*parts[:at], _DATASET, behind[0])))
        activity = _activity(behind, text)
        if activity is not None:
            repository = f"{repository}?{urlencode({'activity_id': activity})}"
        return Place(repository, quote(repository, safe=""))


def _activity(behind: list[str], text: str) -> str | None:
    """The state of the history that the address names; None is the newest."""
    if "history" in behind[:-1]:
        activity = behind[behind.index("history") + 1]
    else:
        activity = parse_qs(urlsplit(text).query).get("activity_id", [""])[0]
    if activity and not _ACTIVITY.fullmatch(activity):
        raise SpecInvalid("The activity_id in the dataset's address is not valid.")
    return activity.lower() or None


def _no_dataset() -> SpecInvalid:
    return SpecInvalid(
        "The address is not that of a dataset: write https://, the portal's host, "
        "/dataset/ and the dataset's name."
    )
