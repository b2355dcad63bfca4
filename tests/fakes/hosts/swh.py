"""Software Heritage's API, one release.

Form of the answers: https://archive.softwareheritage.org/api/1/release/doc/.
"""

from __future__ import annotations

from typing import ClassVar

from tests.fakes.hosts.archive import ArchiveStub

RELEASE = "208f61cc7a5dbc9879ae6e5c2f95891e270f09ef"
REVISION = "aafb16d69fd30ff58afdd69036a26047f3aebdc6"


class SoftwareHeritageStub(ArchiveStub):
    absent: ClassVar[object] = {
        "exception": "NotFoundExc",
        "reason": "Release with sha1_git … not found.",
    }

    def __init__(self) -> None:
        super().__init__()
        self.pages[f"/release/{RELEASE}/"] = {
            "id": RELEASE,
            "name": "v1.0",
            "message": "Version 1.0\n\nwith words",
            "date": "2016-03-31T14:33:50+00:00",
            "target": REVISION,
            "target_type": "revision",
            "synthetic": False,
        }
