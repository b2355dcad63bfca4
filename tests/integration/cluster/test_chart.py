"""The chart for the node side, installed: how engines live, what the hub may do, what is left."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.environment import ClusterEnv, Program
from tests.integration.cluster.polling import until

pytestmark = pytest.mark.cluster

CHART = Path(__file__).parents[3] / "helm-values" / "imagebuilder-node"
ENGINES = "app.kubernetes.io/name=imagebuilder,app.kubernetes.io/component=docker-api"


@dataclass(frozen=True)
class Release:
    name: str
    namespace: str
    kubectl: Program
    notes: str

    @property
    def socket(self) -> str:
        return f"/var/run/{self.namespace}-{self.name}/docker-api/docker-api.sock"

    def pod(self) -> dict[str, Any]:
        """The engine's pod; this cluster has one node."""
        selector = f"{ENGINES},app.kubernetes.io/instance={self.name}"
        found = self.kubectl("get", "pods", "-n", self.namespace, "-l", selector, "-o", "json")
        (pod,) = json.loads(found)["items"]
        return pod

    def execute(self, *command: str) -> str:
        """What a command prints in the engine's pod."""
        pod = self.pod()["metadata"]["name"]
        return self.kubectl("exec", "-n", self.namespace, pod, "--", *command).strip()

    def docker(self, *command: str) -> str:
        return self.execute("docker", "-H", f"unix://{self.socket}", *command)

    def ready_pod(self, *, not_uid: str = "") -> dict[str, Any]:
        """The pod once it is Ready, and another one than ``not_uid``."""

        def found() -> dict[str, Any] | None:
            pod = self.pod()
            ready = {"type": "Ready", "status": "True"}.items()
            conditions = pod["status"].get("conditions", [])
            is_ready = any(ready <= condition.items() for condition in conditions)
            return pod if is_ready and pod["metadata"]["uid"] != not_uid else None

        return until(found, what=f"a Ready engine of {self.name}", seconds=90)


def engine_values(env: ClusterEnv) -> dict[str, Any]:
    """No images stay on the node, and a probe that fails soon."""
    certificates = "/etc/docker/certs.d"
    repository, _, tag = f"{env.open_registry}/dockerd:1".rpartition(":")
    return {
        "dockerApi": {
            "image": {"repository": repository, "tag": tag},
            "storage": {"emptyDir": {}},
            "extraVolumes": [{"name": "certificates", "hostPath": {"path": certificates}}],
            "extraVolumeMounts": [
                {"name": "certificates", "mountPath": certificates, "readOnly": True}
            ],
            "livenessProbe": {"periodSeconds": 2, "failureThreshold": 2},
        },
        "registry": {"server": env.registry, "username": env.username, "password": env.password},
    }


@pytest.fixture(scope="module")
def releases(cluster_env, kubectl, helm, namespace):
    """Two releases in one namespace, both with a Ready engine."""
    installed = []
    for name in ("one", "two"):
        values = engine_values(cluster_env)
        if name == "two":
            values |= {
                "rbac": {"builds": True, "serviceAccount": {"name": "service"}},
            }
        notes = helm(
            *("install", name, str(CHART), "--namespace", namespace, "--values", "-"),
            stdin=json.dumps(values),
        )
        installed.append(Release(name, namespace, kubectl, notes))
    for release in installed:
        release.ready_pod()
    yield installed
    for release in installed:
        helm("uninstall", release.name, "--namespace", namespace, "--ignore-not-found")
        shutil.rmtree(Path(release.socket).parents[1], ignore_errors=True)


@pytest.fixture(scope="module")
def client(cluster_env, kubectl, namespace, releases) -> str:
    """A pod that sees the directory of release one's socket, with no more rights than a build."""
    container = {
        "name": "client",
        "image": f"{cluster_env.open_registry}/dockerd:1",
        "command": ["sleep", "infinity"],
        "env": [{"name": "DOCKER_HOST", "value": "unix:///engine/docker-api.sock"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "engine", "mountPath": "/engine"}],
    }
    volume = {"name": "engine", "hostPath": {"path": str(Path(releases[0].socket).parent)}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [volume],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/client", "--timeout=60s")
    return "client"


def test_two_engines_share_the_node(releases):
    names = [release.docker("info", "--format", "{{.Name}}") for release in releases]
    assert names == [release.pod()["metadata"]["name"] for release in releases]
    assert len(set(names)) == 2


def test_the_engine_runs_as_configured(releases):
    one = releases[0]
    config = json.loads(one.execute("cat", "/etc/docker/daemon.json"))
    assert config["builder"]["gc"] == {"enabled": True, "defaultKeepStorage": "20GB"}
    root = one.docker("info", "--format", "{{.DockerRootDir}}")
    assert root == f"/var/lib/{one.namespace}-one/docker-api"


def test_the_engine_has_no_identity_in_the_cluster(releases):
    mounted = releases[0].execute("cat", "/proc/self/mounts")
    assert "/docker-api" in mounted
    assert "serviceaccount" not in mounted


def test_notes_name_what_the_hub_has_to_know(releases):
    for release in releases:
        directory = release.socket.rpartition("/")[0]
        assert f'c.KubernetesExecutor.engine_socket_dir = "{directory}"' in release.notes
        assert f'c.KubernetesExecutor.push_secret = "{release.name}-registry"' in release.notes
        assert "password" not in release.notes


@pytest.mark.parametrize(
    ("account", "verb", "what", "allowed"),
    [
        ("hub", "get", "pods/log", "yes"),
        ("hub", "create", "pods", "no"),
        ("hub", "get", "secrets/two-registry", "no"),
        ("service", "get", "pods/log", "yes"),
        ("service", "create", "pods", "yes"),
        ("service", "watch", "pods", "yes"),
        ("service", "delete", "pods", "yes"),
        ("service", "watch", "events", "yes"),
        ("service", "get", "secrets/two-registry", "yes"),
        ("service", "get", "secrets/one-registry", "no"),
        ("service", "list", "secrets", "no"),
        ("service", "create", "pods/exec", "no"),
    ],
)
def test_rights(releases, account, verb, what, allowed):
    kubectl, namespace = releases[0].kubectl, releases[0].namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "resourceAttributes": {"namespace": namespace, "verb": verb, **_resource(what)},
        },
    }
    answer = json.loads(kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review)))
    assert answer["status"]["allowed"] is (allowed == "yes")


def _resource(what: str) -> dict[str, str]:
    resource, _, rest = what.partition("/")
    return {"resource": resource, ("name" if resource == "secrets" else "subresource"): rest}


def test_a_killed_engine_comes_back_under_a_mounted_directory(releases, client, kubectl, namespace):
    release = releases[0]

    def engine() -> str:
        ask = ["docker", "info", "--format", "{{.Name}}"]
        return kubectl("exec", "-n", namespace, client, "--", *ask).strip()

    before = release.pod()["metadata"]
    assert engine() == before["name"]
    kubectl("delete", "pod", "-n", namespace, before["name"], "--force", "--grace-period=0")
    after = release.ready_pod(not_uid=before["uid"])["metadata"]
    assert engine() == after["name"] != before["name"]


def test_an_engine_without_its_socket_is_restarted(releases, client, kubectl, namespace):
    """As when a predecessor that ends late removes the path its successor listens on."""
    release = releases[0]
    kubectl("exec", "-n", namespace, client, "--", "rm", "/engine/docker-api.sock")

    def restarted() -> bool:
        (status,) = release.pod()["status"]["containerStatuses"]
        return status["restartCount"] > 0 and status["ready"]

    until(restarted, what="a restart by the liveness probe", seconds=90)
    answer = kubectl(
        *("exec", "-n", namespace, client, "--"),
        *("docker", "version", "--format", "{{.Server.Os}}"),
    )
    assert answer.strip() == "linux"


def test_uninstalling_one_release_leaves_nothing_of_it_and_all_of_the_other(
    releases, kubectl, helm, namespace
):
    kinds = "daemonsets,pods,configmaps,secrets,roles,rolebindings,networkpolicies"

    def of(release: Release) -> list[str]:
        selector = f"app.kubernetes.io/instance={release.name}"
        return kubectl("get", kinds, "-n", namespace, "-l", selector, "-o", "name").split()

    one, two = releases
    others = of(one)
    assert len(of(two)) == len(others)
    helm("uninstall", "two", "--namespace", namespace, "--wait")
    until(lambda: not of(two), what="the end of release two")
    assert of(one) == others
