"""What a hub may do in its namespace: the Role that zero-to-jupyterhub gives it, no more."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from tests.integration.cluster.environment import Program

#: zero-to-jupyterhub's jupyterhub/templates/hub/rbac.yaml, word for word in content.
Z2JH_RULES = [
    {
        "apiGroups": [""],
        "resources": ["pods", "persistentvolumeclaims", "secrets", "services"],
        "verbs": ["get", "watch", "list", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
]


def create_hub_account(kubectl: Program, namespace: str, name: str) -> None:
    """A ServiceAccount with zero-to-jupyterhub's Role; ``pods/log`` comes from our chart."""
    rbac = "rbac.authorization.k8s.io"
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount"},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "rules": Z2JH_RULES},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            "roleRef": {"kind": "Role", "name": name, "apiGroup": rbac},
        },
    ]
    for item in items:
        item["metadata"] = {"name": name, "namespace": namespace}
    kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )


def kubeconfig_of(kubectl: Program, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig (0600) with a fresh token of the account and the cluster's address."""
    config = yaml.safe_load(Path(kubectl.kubeconfig).read_text())
    token = kubectl("create", "token", account, "-n", namespace, "--duration=2h").strip()
    config["users"] = [{"name": account, "user": {"token": token}}]
    context = {"cluster": config["clusters"][0]["name"], "user": account, "namespace": namespace}
    config["contexts"] = [{"name": account, "context": context}]
    config["current-context"] = account
    path = folder / f"kubeconfig-{account}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(config, file)
    return path
