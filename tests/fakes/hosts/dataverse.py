"""A Dataverse with one dataset in two versions, and a file in it with a DOI of its own.

Form of the answers: https://guides.dataverse.org/en/latest/api/native-api.html, "Get Version of a
Dataset" and "Getting File Metadata"; https://guides.dataverse.org/en/latest/api/dataaccess.html,
"Basic File Access".
"""

from __future__ import annotations

from typing import ClassVar

from aiohttp import web

from tests.fakes.hosts.doi import DoiStub

DATASET = "doi:10.7910/DVN/TJCLKP"
FILE = f"{DATASET}/0GBLQF"
FILES = {"1.0": {1: ("Dockerfile", b"old")}, "2.1": {2: ("Dockerfile", b"new")}}


def version(number: str, files: dict[int, tuple[str, bytes]], *, with_files: bool) -> object:
    major, minor = (int(part) for part in number.split("."))
    listed = [
        {
            "label": name,
            "restricted": False,
            "dataFile": {"id": file, "filename": name, "filesize": len(content)},
        }
        for file, (name, content) in files.items()
    ]
    return {
        "status": "OK",
        "data": {
            "id": 156550 + major,
            "datasetId": 3323456,
            "datasetPersistentId": DATASET,
            "versionNumber": major,
            "versionMinorNumber": minor,
            "versionState": "RELEASED",
            "releaseTime": "2019-03-27T21:41:47Z",
            "metadataBlocks": {
                "citation": {
                    "displayName": "Citation Metadata",
                    "fields": [
                        {"typeName": "author", "multiple": True, "value": []},
                        {
                            "typeName": "title",
                            "multiple": False,
                            "typeClass": "primitive",
                            "value": "Open Source at Harvard",
                        },
                    ],
                }
            },
            **({"files": listed} if with_files else {}),
        },
    }


class DataverseStub(DoiStub):
    """doi.org, too: the provider asks both."""

    absent: ClassVar[object] = {
        "status": "ERROR",
        "message": f"Dataset with Persistent ID {DATASET} not found.",
    }

    def __init__(self, files: dict[str, dict[int, tuple[str, bytes]]] | None = None) -> None:
        super().__init__()
        files = FILES if files is None else files
        newest = list(files)[-1]
        self.files: dict[str, bytes] = {}
        of_file = {
            "status": "OK",
            "data": {
                "label": "x",
                "dataFile": {"id": 2, "persistentId": FILE},
                "datasetVersion": {"datasetPersistentId": DATASET, "versionNumber": 2},
            },
        }
        for name in ("2", f":persistentId?persistentId={FILE}"):
            mark = "&" if "?" in name else "?"
            self.pages[f"/api/files/{name}{mark}returnDatasetVersion=true"] = of_file
        for number, content in files.items():
            for named in (number, *([":latest-published"] if number == newest else [])):
                path = f"/api/datasets/:persistentId/versions/{named}?persistentId={DATASET}"
                self.pages[path] = version(number, content, with_files=True)
                self.pages[f"{path}&excludeFiles=true"] = version(number, content, with_files=False)
            for file, (_, body) in content.items():
                self.files[f"/api/access/datafile/{file}?format=original"] = body

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path_qs in self.files:
            self.requests.append(request.path_qs)
            return web.Response(body=self.files[request.path_qs])
        return await super().handle(request)
