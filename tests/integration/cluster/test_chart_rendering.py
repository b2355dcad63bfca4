"""The chart for the node side: what it renders, and what it refuses; helm does it, no cluster."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.cluster

HELM_VALUES = Path(__file__).parents[3] / "helm-values"
CHART = HELM_VALUES / "imagebuilder-node"
CREDENTIAL = {"server": "quay.io", "username": "org+robot", "password": 'p"w:1'}

#: Every value of the chart, none of them its default.
EVERYTHING: dict[str, Any] = {
    "fullnameOverride": "mine",
    "global": {"shared": True},
    "dockerApi": {
        "enabled": True,
        "image": {
            "repository": "registry.example.org/docker",
            "tag": "1-dind",
            "pullPolicy": "Always",
            "pullSecrets": ["one", {"name": "two"}],
        },
        "socketDir": "/run/engine/",
        "resources": {"limits": {"memory": "6Gi"}},
        "storage": {"emptyDir": {"sizeLimit": "40Gi"}},
        "daemonConfig": {"bip": "172.30.0.1/24"},
        "extraArgs": ["--mtu=1400"],
        "extraFiles": {
            "ca": {"mountPath": "/etc/ca.crt", "stringData": "-----BEGIN", "mode": 0o440},
            "blob": {"mountPath": "/etc/blob", "binaryData": "AAE="},
            "toml": {"mountPath": "/etc/a.toml", "data": {"a": {"b": 1}}},
            "yaml": {"mountPath": "/etc/a.yaml", "data": {"a": {"b": 1}}},
            "json": {"mountPath": "/etc/a.json", "data": {"a": {"b": 1}}},
        },
        "extraEnv": [{"name": "NO_PROXY", "value": "10.0.0.0/8"}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "initContainers": [{"name": "block-nfs", "image": "registry.example.org/iptables:1"}],
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "podSecurityContext": {"fsGroup": 0},
        "podAnnotations": {"example.org/a": "b"},
        "podLabels": {"example.org/team": "hub", "app.kubernetes.io/component": "not-ours"},
        "nodeSelector": {"hub.jupyter.org/node-purpose": "user"},
        "affinity": {"podAntiAffinity": {}},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-node-critical",
        "updateStrategy": {"type": "OnDelete"},
        "terminationGracePeriodSeconds": 7,
        "probeCommand": ["true"],
        "startupProbe": None,
        "readinessProbe": {"periodSeconds": 3, "exec": {"command": ["ready"]}},
        "livenessProbe": {"periodSeconds": 5},
    },
    "rbac": {
        "create": True,
        "builds": True,
        "privateRepositories": True,
        "serviceAccount": {"name": "service", "namespace": "elsewhere"},
    },
    "registry": {**CREDENTIAL, "existingSecret": "", "extraNamespaces": ["default"]},
    "networkPolicy": {
        "enabled": True,
        "blockedCIDRs": ["10.0.0.0/8"],
        "blockedCIDRsIPv6": ["fc00::/7"],
        "dns": {"namespaces": ["dns"], "cidrs": ["169.254.169.254/32"]},
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 5000}]}],
    },
}


@pytest.fixture
def render(helm):
    """Renders the chart with some values; the objects by kind and name."""

    def rendered(values: dict[str, Any] | None = None, *, release="imagebuilder", namespace="jhub"):
        text = helm(
            *("template", release, str(CHART), "--namespace", namespace),
            *("--kube-version", "1.28.0", "--values", "-"),
            stdin=json.dumps(values or {}),
        )
        return by_name(text)

    return rendered


def by_name(text: str) -> dict[str, dict[str, Any]]:
    found = [item for item in yaml.safe_load_all(text) if item]
    objects = {f"{item['kind']}/{item['metadata']['name']}": item for item in found}
    copies = [item for item in found if item["metadata"]["namespace"] == "default"]
    assert len(objects) == len(found) - len(copies)
    return objects


def pod_of(objects: dict[str, dict[str, Any]], name="imagebuilder-docker-api") -> dict[str, Any]:
    return objects[f"DaemonSet/{name}"]["spec"]["template"]


def paths(values: dict[str, Any], prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of all keys, down to where the admin's own words begin."""
    found = set()
    for key, value in values.items():
        found.add((*prefix, key))
        if isinstance(value, dict) and (*prefix, key) not in FREE:
            found |= paths(value, (*prefix, key))
    return found


FREE = {
    ("global",),
    *(("dockerApi", name) for name in EVERYTHING["dockerApi"] if name != "image"),
}


# -- What it renders -----------------------------------------------------------------------------


def test_lint(helm):
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_defaults_need_nothing_but_a_release(render):
    objects = render()
    assert sorted(objects) == [
        "ConfigMap/imagebuilder-docker-api",
        "DaemonSet/imagebuilder-docker-api",
        "NetworkPolicy/imagebuilder-builds",
        "NetworkPolicy/imagebuilder-docker-api",
        "Role/imagebuilder-builds",
        "RoleBinding/imagebuilder-builds",
    ]
    assert {item["metadata"]["namespace"] for item in objects.values()} == {"jhub"}
    pod = pod_of(objects)["spec"]
    (engine,) = pod["containers"]
    assert engine["args"][0] == "dockerd"
    assert "--host=unix:///var/run/jhub-imagebuilder/docker-api/docker-api.sock" in engine["args"]
    assert "--data-root=/var/lib/jhub-imagebuilder/docker-api" in engine["args"]
    assert pod["automountServiceAccountToken"] is False
    assert {taint["key"] for taint in pod["tolerations"]} == {
        "hub.jupyter.org/dedicated",
        "hub.jupyter.org_dedicated",
    }
    assert engine["livenessProbe"]["exec"] == engine["readinessProbe"]["exec"]


def test_build_pods_see_nothing_of_the_engine_but_its_socket(render):
    engine = pod_of(render())["spec"]["containers"][0]
    shared = "/var/run/jhub-imagebuilder/docker-api"
    inside = [arg for arg in engine["args"] if shared in arg]
    assert inside == [f"--host=unix://{shared}/docker-api.sock"]


def test_the_set_of_all_values_is_complete():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert paths(EVERYTHING) == paths(values)
    assert {key for key in paths(values) if _get(values, key) == _get(EVERYTHING, key)} <= {
        ("dockerApi", "enabled"),
        ("rbac", "create"),
        ("registry", "existingSecret"),
        ("networkPolicy", "enabled"),
    }


def _get(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def test_every_value_has_its_effect(render):
    objects = render(EVERYTHING)
    template = pod_of(objects, "mine-docker-api")
    pod, given = template["spec"], EVERYTHING["dockerApi"]
    engine = pod["containers"][0]
    assert template["metadata"]["labels"]["example.org/team"] == "hub"
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == "docker-api"
    assert template["metadata"]["annotations"]["example.org/a"] == "b"
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    for name in (
        *("affinity", "initContainers", "nodeSelector", "priorityClassName"),
        *("terminationGracePeriodSeconds", "tolerations"),
    ):
        assert pod[name] == given[name], name
    assert pod["securityContext"] == given["podSecurityContext"]
    assert engine["image"] == "registry.example.org/docker:1-dind"
    assert engine["imagePullPolicy"] == "Always"
    assert engine["args"][-2:] == ["--host=unix:///run/engine/docker-api.sock", "--mtu=1400"]
    assert engine["env"] == given["extraEnv"]
    assert engine["resources"] == given["resources"]
    assert engine["securityContext"] == given["securityContext"]
    assert "startupProbe" not in engine
    assert engine["readinessProbe"]["exec"] == {"command": ["ready"]}
    assert engine["readinessProbe"]["periodSeconds"] == 3
    assert engine["livenessProbe"]["exec"] == {"command": ["true"]}
    volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
    assert volumes["data"] == given["storage"]
    assert volumes["socket"]["hostPath"]["path"] == "/run/engine"
    assert volumes["scratch"] == {"emptyDir": {}}
    assert {"key": "ca", "path": "ca", "mode": 0o440} in volumes["files"]["secret"]["items"]
    assert objects["DaemonSet/mine-docker-api"]["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_files_are_written_as_their_names_end(render):
    data = render(EVERYTHING)["Secret/mine-docker-api"]["data"]
    text = {key: base64.b64decode(value).decode() for key, value in data.items()}
    assert text["ca"] == "-----BEGIN"
    assert data["blob"] == "AAE="
    assert text["toml"].split() == ["[a]", "b", "=", "1.0"]
    assert yaml.safe_load(text["yaml"]) == {"a": {"b": 1}}
    assert json.loads(text["json"]) == {"a": {"b": 1}}


def test_a_daemon_json_of_ones_own_replaces_the_charts(render):
    own = {"mountPath": "/etc/docker/daemon.json", "data": {"debug": True}}
    objects = render({"dockerApi": {"extraFiles": {"daemon-json": own}}})
    assert "ConfigMap/imagebuilder-docker-api" not in objects
    mounts = pod_of(objects)["spec"]["containers"][0]["volumeMounts"]
    assert [m["name"] for m in mounts if m["mountPath"] == own["mountPath"]] == ["files"]


def test_another_configuration_restarts_the_engine(render):
    before = pod_of(render())["metadata"]["annotations"]
    after = pod_of(render({"dockerApi": {"daemonConfig": {"debug": True}}}))
    assert after["metadata"]["annotations"] != before


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ("quay.io", "quay.io"),
        ("registry.example.org:5000", "registry.example.org:5000"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_credential(render, server, key):
    objects = render({"registry": {**CREDENTIAL, "server": server}})
    secret = objects["Secret/imagebuilder-registry"]
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert list(config["auths"]) == [key]
    assert base64.b64decode(config["auths"][key]["auth"]).decode() == 'org+robot:p"w:1'
    assert config["auths"][key]["password"] == 'p"w:1'


def test_nothing_is_open_to_metadata_or_private_addresses(render):
    for name in ("builds", "docker-api"):
        spec = render()[f"NetworkPolicy/imagebuilder-{name}"]["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["ingress"] == []
        anywhere, *dns = spec["egress"]
        assert {"169.254.0.0/16", "10.0.0.0/8"} <= set(anywhere["to"][0]["ipBlock"]["except"])
        assert "fc00::/7" in anywhere["to"][1]["ipBlock"]["except"]
        assert {port["port"] for rule in dns for port in rule["ports"]} == {53, 5353}
        addresses = [to["ipBlock"]["cidr"] for rule in dns for to in rule["to"] if "ipBlock" in to]
        assert "169.254.20.10/32" in addresses


def test_switched_off(render):
    off = {
        "dockerApi": {"enabled": False},
        "rbac": {"create": False},
        "networkPolicy": {"enabled": False},
    }
    assert render(off) == {}


def test_the_rendered_manifests_are_the_charts(render):
    checked_in = (HELM_VALUES / "manifests" / "imagebuilder-node.yaml").read_text()
    assert by_name(checked_in) == render()


# -- What it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"dockerAPI": {}}, "'dockerAPI'"),
        ({"dockerApi": {"tolerration": []}}, "'tolerration'"),
        ({"dockerApi": {"image": {"repository": "a", "tagg": "b"}}}, "'tagg'"),
        ({"dockerApi": {"daemonConfig": {"data-root": "/x"}}}, "'data-root'"),
        ({"dockerApi": {"socketDir": "relative"}}, "socketDir"),
        ({"dockerApi": {"extraFiles": {"a": {"mountPath": "/a"}}}}, "extraFiles"),
        ({"registry": {"server": "https://quay.io"}}, "server"),
        ({"networkPolicy": {"blockedCIDRs": ["10.0.0.0"]}}, "blockedCIDRs"),
        ({"registry": {"server": "quay.io"}}, "set all three, or none"),
        ({"registry": {**CREDENTIAL, "existingSecret": "a"}}, "names a Secret that exists already"),
        (
            {"dockerApi": {"extraFiles": {"a": {"mountPath": "/a.ini", "data": {}}}}},
            "Use stringData",
        ),
        ({"dockerApi": {"socketDir": "/" + "d" * 100}}, "Linux allows 107"),
    ],
)
def test_refuses(render, values, sentence):
    with pytest.raises(RuntimeError) as refusal:
        render(values)
    assert sentence in str(refusal.value)


# -- What the API server says ---------------------------------------------------------------------


def test_the_api_server_accepts_every_value(render, kubectl, namespace):
    for item in render(EVERYTHING, namespace=namespace).values():
        answer = kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(item))
        assert "created (server dry run)" in answer


@pytest.mark.parametrize("private", [False, True])
def test_secrets_are_created_only_where_private_repositories_are_built(render, private):
    rbac = {"builds": True, "privateRepositories": private}
    role = render({"rbac": rbac})["Role/imagebuilder-builds"]
    rules = [rule["verbs"] for rule in role["rules"] if rule["resources"] == ["secrets"]]
    assert rules == ([["create"]] if private else [])
