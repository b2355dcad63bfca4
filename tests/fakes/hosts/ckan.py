"""A CKAN portal with one dataset.

Form of the answers: https://docs.ckan.org/en/latest/api/, "Making an API request" and
``package_show``, ``activity_data_show``.
"""

from __future__ import annotations

from typing import ClassVar

from aiohttp import web

from tests.fakes.hosts.archive import ArchiveStub

NAME = "sample-dataset-1"
ACTIVITY = "3fe0e1dc-9a3c-4d3e-8b7b-5d1c0a5f2a11"


class CKANStub(ArchiveStub):
    absent: ClassVar[object] = {
        "success": False,
        "error": {"message": "Not found", "__type": "Not Found Error"},
    }

    def __init__(self, files: dict[str, bytes] | None = None, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix
        self.files = {f"/files/{name}": body for name, body in (files or {"a.txt": b"a"}).items()}
        self.changed("2024-02-27T15:57:03.110436")

    def changed(self, time: str) -> None:
        def dataset(url: str) -> object:
            return {
                "success": True,
                "result": {
                    "id": "c322307a-b871-44fe-a602-32ee8437ff04",
                    "name": NAME,
                    "title": "Sample Dataset",
                    "metadata_modified": time,
                    "state": "active",
                    "private": False,
                    "resources": [
                        {"id": f"r{i}", "name": path, "url": f"{url}{path}"}
                        for i, path in enumerate(self.files)
                    ],
                },
            }

        api = f"{self.prefix}/api/3/action"
        self.pages |= {
            f"{api}/package_show?id={NAME}": dataset,
            f"{api}/status_show": {"success": True, "result": {"ckan_version": "2.11.0"}},
            f"{api}/activity_data_show?id={ACTIVITY}&object_type=package": dataset,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path in self.files:
            self.requests.append(request.path_qs)
            return web.Response(body=self.files[request.path])
        return await super().handle(request)
