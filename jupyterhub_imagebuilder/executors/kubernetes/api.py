"""What the executor needs from Kubernetes, and how it fails.  Objects are plain JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from jupyterhub_imagebuilder.executors.apierror import ApiError

__all__ = ["ApiError", "Json", "PodApi"]

#: A pod, event or status as the API server sends it.
Json = dict[str, Any]


class PodApi(Protocol):
    """Pods of one namespace; every method raises :class:`ApiError` and nothing else."""

    async def list_pods(
        self, selector: str, *, namespace: str = "", limit: int | None = None
    ) -> Json:
        """List pods by label.

        :param namespace: another one than that of the builds.
        """

    def watch_pods(self, selector: str, version: str, seconds: int) -> AsyncGenerator[Json, None]:
        """Changes after a version, for so many seconds: events as Kubernetes sends them."""

    async def get_pod(self, name: str) -> Json | None:
        """One pod; None when there is none."""

    async def create_pod(self, manifest: Json) -> Json:
        """Create a pod, once: code 409 means that the name is taken."""

    async def delete_pod(self, name: str, uid: str, grace: int) -> None:
        """Delete that very pod; gone already is fine."""

    async def pod_events(self, uid: str) -> list[Json]:
        """Kubernetes' own events about a pod."""

    def pod_log(
        self, name: str, container: str, *, follow: bool, tail: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A container's log with timestamps, in chunks of any size."""

    async def create_secret(self, manifest: Json) -> None:
        """Create a Secret, unless there is one of that name."""

    async def read_secret(self, name: str, key: str) -> bytes | None:
        """One value of a Secret; None when Secret or key are not there."""

    async def close(self) -> None:
        """Give back connections."""
