"""For those who run the service: whether it is well, which version it is, what it has done."""

from __future__ import annotations

from http import HTTPStatus

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.model import OwnerKind
from jupyterhub_imagebuilder.errors import AccessDenied
from jupyterhub_imagebuilder.metrics import CONTENT_TYPE
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import health_document


class HealthHandler(Handler):
    """``/health``: whether builds can be carried out; needs no token."""

    async def get(self) -> None:
        """200 when all parts answer, else 503."""
        report = await self.backend.health.report()
        status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
        self.answer(health_document(report), status)

    head = get


class VersionsHandler(Handler):
    """``/versions`` and the prefix itself: needs no token, and only a process that lives."""

    async def get(self) -> None:
        """Name the versions of the service and of the image that builds."""
        self.answer(wire.versions_to_binderhub(self.backend.versions()))

    head = get


class MetricsHandler(Handler):
    """``/metrics``: counts for Prometheus.  They name no user, but are not for users either."""

    async def get(self) -> None:
        """Send all metrics as text."""
        if self.backend.authenticate_metrics:
            owner = (await self.principal()).owner
            # the admin gave services and API tokens their access one by one, users all at once
            if owner.kind is OwnerKind.USER and not owner.admin:
                raise AccessDenied("Metrics are for admins and services of the hub.")
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(self.backend.metrics())

    head = get
