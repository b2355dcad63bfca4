"""The node side of an installation: our chart, as an admin installs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.cluster.environment import ClusterEnv, Program
from tests.integration.cluster.polling import until

CHART = Path(__file__).parents[3] / "helm-values" / "imagebuilder-node"
RELEASE = "node"


@dataclass(frozen=True)
class Engine:
    """A namespace that holds a running engine, the push credentials and the hub's accounts."""

    namespace: str
    socket_dir: str  #: on the node
    push_secret: str
    unverified_registry: str  #: host and port that the engine trusts without a certificate


def chart_values(env: ClusterEnv, unverified_registry: str, socket_dir: str) -> dict[str, Any]:
    """What an admin of this cluster writes into ``values.yaml``."""
    certificates = "/etc/docker/certs.d"
    return {
        "dockerApi": {
            "image": f"{env.open_registry}/dockerd:1",
            "socketDir": socket_dir,
            "storage": {"emptyDir": {}},  # leaves nothing on the node
            "extraArgs": [f"--insecure-registry={unverified_registry}"],
            "extraVolumes": [{"name": "certificates", "hostPath": {"path": certificates}}],
            "extraVolumeMounts": [
                {"name": "certificates", "mountPath": certificates, "readOnly": True}
            ],
        },
        "registry": {
            "server": env.registry,
            "username": env.username,
            "password": env.password,
        },
        "rbac": {"create": True, "serviceAccount": {"name": "hub"}},
    }


def install(
    env: ClusterEnv, kubectl: Program, helm: Program, namespace: str, unverified_registry: str
) -> Engine:
    """Install the chart and return when its engine is Ready."""
    socket_dir = f"/var/run/{namespace}-{RELEASE}/docker-api"
    values = json.dumps(chart_values(env, unverified_registry, socket_dir))
    helm("install", RELEASE, str(CHART), "-n", namespace, "-f", "-", stdin=values)
    selector = "app.kubernetes.io/name=imagebuilder,app.kubernetes.io/component=docker-api"
    until(
        lambda: "True" in pods_ready(kubectl, namespace, selector),
        what="a Ready engine",
        seconds=90,
    )
    _warm_up(env, kubectl, namespace, socket_dir)
    secrets = kubectl("get", "secrets", "-n", namespace, "-o", "json")
    push_secret = next(
        item["metadata"]["name"]
        for item in json.loads(secrets)["items"]
        if item["type"] == "kubernetes.io/dockerconfigjson"
    )
    return Engine(namespace, socket_dir, push_secret, unverified_registry)


def _warm_up(env: ClusterEnv, kubectl: Program, namespace: str, socket_dir: str) -> None:
    """Let the engine pull and push the base once: else the first build of all takes a minute.

    What an engine has pushed to a registry once, it lets the registry mount elsewhere.
    """

    def docker(*args: str, stdin: str | None = None) -> None:
        pod = ("-n", namespace, f"daemonset/{RELEASE}-docker-api")
        command = ("docker", "-H", f"unix://{socket_dir}/docker-api.sock", *args)
        kubectl("exec", "-i", *pod, "--", *command, stdin=stdin)

    copy = f"{env.registry}/t-base/singleuser:1"
    docker("pull", "-q", env.singleuser)
    docker("tag", env.singleuser, copy)
    docker("login", "-u", env.username, "--password-stdin", env.registry, stdin=env.password)
    docker("push", "-q", copy)


def pods_ready(kubectl: Program, namespace: str, selector: str) -> str:
    """The Ready conditions of some pods, ``True`` or ``False`` each."""
    path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    return kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", f"jsonpath={path}")
