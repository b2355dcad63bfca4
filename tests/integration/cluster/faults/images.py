"""Images of a registry that wants no login, under another name."""

from __future__ import annotations

from typing import Any

import requests

from tests.integration.cluster.environment import ClusterEnv

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def copy(env: ClusterEnv, image: str, name: str) -> None:
    """Give an image of the open registry another name there; nothing is moved.

    By the OCI distribution API: its blobs are mounted, its manifest is put.

    :param image: ``repository:tag``.
    :param name: ``registry/repository:tag``.
    """
    source, _, old_tag = image.partition(":")
    target, _, new_tag = name.partition("/")[2].partition(":")
    base = f"https://{env.open_registry}/v2"

    def call(method: str, path: str, **details: Any) -> requests.Response:
        # per request: a bundle of the environment's would win over a session's
        answer = requests.request(method, base + path, verify=env.ca, timeout=30, **details)
        answer.raise_for_status()
        return answer

    found = call("GET", f"/{source}/manifests/{old_tag}", headers={"Accept": _MANIFEST})
    manifest = found.json()
    for blob in (manifest["config"], *manifest["layers"]):
        query = {"mount": blob["digest"], "from": source}
        mounted = call("POST", f"/{target}/blobs/uploads/", params=query)
        assert mounted.status_code == 201, mounted.text
    kind = {"Content-Type": found.headers["Content-Type"]}
    call("PUT", f"/{target}/manifests/{new_tag}", data=found.content, headers=kind)
