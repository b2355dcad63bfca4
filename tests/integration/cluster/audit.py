"""Counting what a hub and its service asked of Kubernetes, in the API server's audit log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass
class AuditLog:
    """The log from the moment on at which this was made."""

    path: Path
    _inode: int = field(init=False)
    _offset: int = field(init=False)

    def __post_init__(self) -> None:
        status = self.path.stat()
        self._inode, self._offset = status.st_ino, status.st_size

    def requests(
        self, *, user: str | None = None, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        """Requests so far, oldest first; one that streams is told twice but counts once.

        :param user: end of the name, ``:hub`` for a ServiceAccount ``hub``.
        """
        once = {entry["auditID"]: entry for entry in self._entries()}
        return [
            entry
            for entry in once.values()
            if (user is None or entry["user"].get("username", "").endswith(user))
            and (namespace is None or entry.get("objectRef", {}).get("namespace") == namespace)
        ]

    def build_pods_created(self, namespace: str) -> list[str]:
        """Names of the build pods whose creation succeeded."""
        return [
            entry["objectRef"]["name"]
            for entry in self.requests(namespace=namespace)
            if entry["verb"] == "create"
            and entry["objectRef"]["resource"] == "pods"
            and "subresource" not in entry["objectRef"]
            and entry["objectRef"].get("name", "").startswith("build-")
            and entry["responseStatus"]["code"] == 201
        ]

    def about_builds(self, namespace: str) -> Counter[str]:
        """Number of requests per verb and resource, ``create pods`` or ``get pods/log``.

        A hub and its service are one account; what is about builds names a build's pod, the
        labels that all build pods or engines have, or one object's events.
        """
        marks = ("/build-", "jupyterhub-imagebuilder", "docker-api", "involvedObject.uid")
        counted: Counter[str] = Counter()
        for entry in self.requests(namespace=namespace):
            ref, user = entry["objectRef"], entry["user"]["username"]
            where = unquote(entry["requestURI"]) + "/" + ref.get("name", "")
            if not user.startswith("system:serviceaccount:") or not any(m in where for m in marks):
                continue
            what = "/".join(filter(None, [ref["resource"], ref.get("subresource")]))
            counted[f"{entry['verb']} {what}"] += 1
        return counted

    def _entries(self) -> Iterator[dict[str, Any]]:
        with_offset = [(self.path, self._offset)]
        if self.path.stat().st_ino != self._inode:  # the API server rotated it meanwhile
            rotated = [p for p in self.path.parent.glob("*.log") if p.stat().st_ino == self._inode]
            with_offset = [(p, self._offset) for p in rotated] + [(self.path, 0)]
        for path, offset in with_offset:
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if line.endswith(b"\n"):
                        yield json.loads(line)
