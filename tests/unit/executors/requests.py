"""Build requests for tests of executors."""

from __future__ import annotations

import hashlib
import uuid

from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    RepoSpec,
    ResolvedRef,
)


def make_request(
    repository: str = "git://example.org/hello",
    *,
    commit: str = "b" * 40,
    registry: str = "registry.example.org:5000",
    salt: str = "",
) -> BuildRequest:
    slug = repository.rpartition("/")[2]
    key = hashlib.sha256(f"{repository} {commit} {salt}".encode()).hexdigest()
    return BuildRequest(
        id=uuid.uuid4().hex,
        key=key,
        name=f"build-{slug}-{key[:20]}",
        resolved=ResolvedRef(RepoSpec("git", repository, "main", f"{repository}/main"), commit),
        # one repository for all: a registry has the base image's layers after the first push
        image=ImageName(registry, "test/executors", f"{slug}-{key[:12]}"),
        owner=Owner("wash", groups=frozenset({"pilots", "crew"})),
        created=1.5,
    )
