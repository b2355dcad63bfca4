"""Figshare's API, one item with three versions.

Form of the answers: https://docs.figshare.com/#public_article, "View article details" and "Public
Article Details for version".
"""

from __future__ import annotations

from typing import ClassVar

from tests.fakes.hosts.archive import ArchiveStub


def article(number: int, version: int) -> dict[str, object]:
    return {
        "id": number,
        "title": "binder-examples/requirements",
        "doi": f"10.6084/m9.figshare.{number}.v{version}",
        "version": version,
        "published_date": "2019-09-19T13:22:01Z",
        "url_public_html": f"https://figshare.com/articles/dataset/x/{number}/{version}",
        "files": [
            {
                "id": 17527454,
                "name": "requirements.txt",
                "size": 6,
                "is_link_only": False,
                "download_url": "https://ndownloader.figshare.com/files/17527454",
            }
        ],
        "defined_type_name": "dataset",
        "is_public": True,
    }


class FigshareStub(ArchiveStub):
    absent: ClassVar[object] = {"message": "Entity not found: article", "code": "EntityNotFound"}

    def __init__(self) -> None:
        super().__init__()
        self.pages["/articles/9782777"] = article(9782777, 3)
        for version in (1, 2, 3):
            self.pages[f"/articles/9782777/versions/{version}"] = article(9782777, version)
