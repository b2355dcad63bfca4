"""What a pod or container says about its build: enough to adopt it after a restart.  Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources

from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    OwnerKind,
    RepoSpec,
    ResolvedRef,
)

PREFIX = "imagebuilder.jupyterhub.org/"


def write_request(request: BuildRequest) -> dict[str, str]:
    """A request as annotations or labels; the inverse of :func:`read_request`."""
    owner = asdict(request.owner) | {"groups": sorted(request.owner.groups)}
    spec = request.spec
    values = {
        "id": request.id,
        "key": request.key,
        "provider": spec.provider,
        "repository": spec.repository,
        "ref": spec.ref,
        "spec": spec.spec,
        "commit": request.resolved.commit,
        "image": json.dumps(asdict(request.image)),
        "owner": json.dumps(owner),
        "created": repr(request.created),
    }
    return {PREFIX + name: value for name, value in values.items()}


def read_request(name: str, said: Mapping[str, str]) -> BuildRequest | None:
    """The request that stands in annotations or labels; None when it does not.

    :param name: of the pod or container.
    """
    try:
        value = {key.removeprefix(PREFIX): text for key, text in said.items()}
        spec = RepoSpec(value["provider"], value["repository"], value["ref"], value["spec"])
        owner = json.loads(value["owner"])
        return BuildRequest(
            id=value["id"],
            key=value["key"],
            name=name,
            resolved=ResolvedRef(spec, value["commit"]),
            image=ImageName(**json.loads(value["image"])),
            owner=Owner(
                name=owner["name"],
                kind=OwnerKind(owner["kind"]),
                groups=frozenset(owner["groups"]),
                admin=bool(owner["admin"]),
            ),
            created=float(value["created"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def program() -> str:
    """The source of what a pod or container runs: ``python3 -c``."""
    return resources.files(__package__).joinpath("entrypoint.py").read_text(encoding="utf-8")
