"""A namespace of its own on the real cluster, with an engine and the rights that a hub has."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor
from tests.unit.executors.requests import make_request

#: What z2jh's chart gives a hub, to the letter.
HUB_RULES = [
    {
        "apiGroups": [""],
        "resources": ["pods", "persistentvolumeclaims", "secrets", "services"],
        "verbs": ["get", "watch", "list", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
]
LOG_RULE = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
PUSH_SECRET = "imagebuilder-push"


def kubectl(*arguments: str, stdin: object = None) -> str:
    answer = subprocess.run(
        ["kubectl", *arguments],
        input=json.dumps(stdin) if stdin is not None else None,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@dataclass(frozen=True)
class Engine:
    """A namespace with a docker engine on each node."""

    namespace: str

    @property
    def folder(self) -> str:
        return f"/var/run/{self.namespace}/docker-api"

    @property
    def data(self) -> str:
        return f"/var/lib/{self.namespace}/docker-api"

    def install(self) -> None:
        kubectl("create", "namespace", self.namespace)
        kubectl("-n", self.namespace, "apply", "-f", "-", stdin=self._daemon_set())
        kubectl("-n", self.namespace, "apply", "-f", "-", stdin=_push_secret())
        kubectl("-n", self.namespace, "rollout", "status", "ds/docker-api", "--timeout=120s")

    def uninstall(self) -> None:
        kubectl("delete", "namespace", self.namespace, "--timeout=120s")
        if os.geteuid() == 0:
            # what the engine left on a node that is this machine
            for folder in (Path(self.folder).parent, Path(self.data).parent):
                shutil.rmtree(folder, ignore_errors=True)

    def kubeconfig(self, folder: Path, *, logs: bool) -> Path:
        """Access as a service account with a hub's rights, with or without ``pods/log``."""
        name = "hub" if logs else "hub-stock"
        rules = [*HUB_RULES, *([LOG_RULE] if logs else [])]
        for manifest in _account(name, self.namespace, rules):
            kubectl("-n", self.namespace, "apply", "-f", "-", stdin=manifest)
        token = kubectl("-n", self.namespace, "create", "token", name).strip()
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        path = folder / f"{name}.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def _daemon_set(self) -> dict:
        labels = {
            "app.kubernetes.io/name": "imagebuilder",
            "app.kubernetes.io/component": "docker-api",
        }
        host = f"unix://{self.folder}/docker-api.sock"
        folders = {"data": self.data, "run": self.folder, "certs": "/etc/docker/certs.d"}
        container = {
            "name": "dockerd",
            "image": f"{os.environ['IB_OPEN_REGISTRY']}/dockerd:1",
            "command": [
                "dockerd",
                f"--data-root={self.data}",
                f"--exec-root={self.folder}",
                f"--host={host}",
            ],
            "securityContext": {"privileged": True},
            "readinessProbe": {
                "exec": {"command": ["docker", f"--host={host}", "version"]},
                "periodSeconds": 1,
                "timeoutSeconds": 5,
            },
            "volumeMounts": [{"name": n, "mountPath": path} for n, path in folders.items()],
        }
        volumes = [
            {"name": n, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
            for n, path in folders.items()
        ]
        return {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "docker-api"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "automountServiceAccountToken": False,
                        "terminationGracePeriodSeconds": 5,
                        "containers": [container],
                        "volumes": volumes,
                    },
                },
            },
        }


class ClusterHarness:
    """The Kubernetes executor on the real thing, with a hub's rights and no more."""

    pushes = True

    def __init__(self, engine: Engine, kubeconfig: Path, **settings) -> None:
        self.executor = KubernetesExecutor(
            clock=SystemClock(),
            namespace=engine.namespace,
            kubeconfig=str(kubeconfig),
            **{
                "build_image": f"{os.environ['IB_OPEN_REGISTRY']}/repo2docker:1",
                "engine_socket_dir": engine.folder,
                "push_secret": PUSH_SECRET,
                # "slow" is to be slow each time, whatever the engine remembers
                "buildx_args": ["--provenance=false", "--no-cache"],
                **settings,
            },
        )

    @contextlib.asynccontextmanager
    async def running(self):
        await self.executor.start()
        try:
            yield self
        finally:
            for claim in await self.executor.found():
                await self.executor.remove(claim)
            await self.executor.close()

    def request(self, repository: str) -> BuildRequest:
        url = f"{os.environ['IB_GIT']}/{repository}"
        refs = subprocess.run(
            ["git", "ls-remote", url, "HEAD"], capture_output=True, text=True, check=True
        )
        return make_request(
            url,
            commit=refs.stdout.split()[0],
            registry=os.environ["IB_REGISTRY"],
            salt=uuid.uuid4().hex,
        )

    async def play(self, claim: Claim) -> None:
        """A real build plays itself."""


def _push_secret() -> dict:
    user = f"{os.environ['IB_REGISTRY_USERNAME']}:{os.environ['IB_REGISTRY_PASSWORD']}"
    auth = base64.b64encode(user.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": PUSH_SECRET},
        "stringData": {
            ".dockerconfigjson": json.dumps({"auths": {os.environ["IB_REGISTRY"]: {"auth": auth}}})
        },
    }


def _account(name: str, namespace: str, rules: list[dict]) -> list[dict]:
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]
