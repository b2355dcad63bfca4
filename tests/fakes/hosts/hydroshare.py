"""HydroShare's API, one resource.

Form of the answers: https://www.hydroshare.org/hsapi/, "resource: scimeta: elements".
"""

from __future__ import annotations

from typing import ClassVar

from tests.fakes.hosts.archive import ArchiveStub

RESOURCE = "b8f6eae9d89241cf8b5904033460af61"


class HydroShareStub(ArchiveStub):
    absent: ClassVar[object] = {"detail": "No resource was found for resource id"}

    def __init__(self) -> None:
        super().__init__()
        self.changed("2019-09-25T16:09:17.006152Z")

    def changed(self, time: str) -> None:
        self.pages[f"/resource/{RESOURCE}/scimeta/elements/"] = {
            "title": "Jupyter notebooks",
            "creators": [{"name": "A", "order": 1}],
            "dates": [
                {"type": "created", "start_date": "2019-09-01T00:00:00.123456Z", "end_date": None},
                {"type": "modified", "start_date": time, "end_date": None},
            ],
            "subjects": [{"value": "x"}],
        }
