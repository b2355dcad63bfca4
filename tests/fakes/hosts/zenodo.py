"""Zenodo's API, one concept with two records; and the same API at CaltechDATA.

Form of the answers: https://developers.zenodo.org/#records, "Retrieve"; that the number of all
versions redirects to the newest: https://help.zenodo.org/docs/deposit/about-records/#versions.
"""

from __future__ import annotations

from typing import ClassVar

from aiohttp import web

from tests.fakes.hosts.doi import DoiStub


def record(number: int | str, title: str) -> dict[str, object]:
    return {
        "created": "2019-06-10T12:41:06.520195+00:00",
        "modified": "2020-01-24T19:26:52.371244+00:00",
        "id": number,
        "conceptrecid": "3242073",
        "doi": f"10.5281/zenodo.{number}",
        "conceptdoi": "10.5281/zenodo.3242073",
        "metadata": {"title": title, "publication_date": "2019-06-10", "version": "0.1"},
        "links": {
            "self": f"https://zenodo.org/api/records/{number}",
            "files": f"https://zenodo.org/api/records/{number}/files",
        },
        "state": "done",
        "submitted": True,
    }


class ZenodoStub(DoiStub):
    """doi.org, too: the provider asks both."""

    absent: ClassVar[object] = {
        "status": 404,
        "message": "The persistent identifier does not exist.",
    }

    def __init__(self) -> None:
        super().__init__()
        self.pages |= {
            "/api/records/3242074": record(3242074, "binder-examples/requirements"),
            "/api/records/3242090": record(3242090, "Second version"),
            "/api/records/abcde-12345": record("abcde-12345", "Caltech"),
            "/api/records/3242073": lambda url: web.Response(
                status=302, headers={"Location": f"{url}/api/records/3242090"}
            ),
        }
