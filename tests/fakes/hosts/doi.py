"""The resolver of DOIs.

Form of the answers: DOI Handbook, "REST API Response Format"
(https://www.doi.org/doi-handbook/HTML/rest-api-response-format.html).
"""

from __future__ import annotations

from typing import ClassVar

from tests.fakes.hosts.archive import ArchiveStub


def handle(doi: str, url: str) -> object:
    """What is said of a DOI that leads to ``url``."""
    return {
        "responseCode": 1,
        "handle": doi,
        "values": [
            {
                "index": 1,
                "type": "URL",
                "data": {"format": "string", "value": url},
                "ttl": 86400,
                "timestamp": "2020-01-15T10:03:24Z",
            }
        ],
    }


class DoiStub(ArchiveStub):
    """Knows what it is told by :meth:`lead`."""

    absent: ClassVar[object] = {"responseCode": 100, "handle": "10.1/x"}

    def lead(self, doi: str, url: str) -> None:
        self.pages[f"/api/handles/{doi}?type=URL"] = handle(doi, url)
