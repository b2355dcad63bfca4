"""For those who run the service: is it well, and which version is it?  Without a token."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import health_document


class HealthHandler(Handler):
    """``/health``: whether builds can be carried out, not whether this process lives."""

    async def get(self) -> None:
        """200 when all parts answer, else 503."""
        report = await self.backend.health.report()
        status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
        self.answer(health_document(report), status)

    head = get


class VersionsHandler(Handler):
    """``/versions`` and the prefix itself: answers as long as the process lives."""

    async def get(self) -> None:
        """Name the versions of the service and of the image that builds."""
        self.answer(self.backend.versions())

    head = get
