from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from jupyterhub_imagebuilder.executors.kubernetes import manifest
from jupyterhub_imagebuilder.executors.kubernetes.placement import Placement, place, ready_nodes
from jupyterhub_imagebuilder.executors.private import Private
from tests.unit.executors.requests import make_request

SETTINGS = manifest.PodSettings(
    build_image="r2d:1",
    instance="imagebuilder",
    engine_socket_dir="/var/run/hub-ib/docker-api",
    push_secret="push",
    extra_env={"HTTPS_PROXY": "http://proxy", "DOCKER_HOST": "not me"},
)


def build(request=None, settings=SETTINGS, placement=None):
    return manifest.build_pod(request or make_request(), settings, placement or Placement())


def env(pod):
    return {item["name"]: item["value"] for item in pod["spec"]["containers"][0]["env"]}


def test_a_pod_says_what_it_builds():
    request = make_request()
    pod = json.loads(json.dumps(build(request)))

    again = manifest.read_request(pod)

    assert again == request
    assert (again.created, again.owner.groups) == (1.5, {"pilots", "crew"})
    assert manifest.instance_of(pod) == "imagebuilder"
    for selector in manifest.SELECTOR.split(","):
        name, _, value = selector.partition("=")
        assert pod["metadata"]["labels"][name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("key", None), ("commit", None), ("owner", "{"), ("image", "[]"), ("created", "soon")],
)
def test_a_pod_that_does_not_say_is_not_guessed_at(name, value):
    pod = build()
    said = pod["metadata"]["annotations"]
    del said[f"imagebuilder.jupyterhub.org/{name}"]
    if value:
        said[f"imagebuilder.jupyterhub.org/{name}"] = value

    assert manifest.read_request(pod) is None
    assert manifest.read_request({"metadata": {"name": "other"}}) is None


def test_a_pod_has_no_more_rights_than_it_needs():
    pod = build()
    spec, container = pod["spec"], pod["spec"]["containers"][0]

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 7200
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "serviceAccountName" not in spec


def test_the_engines_folder_is_mounted_and_found():
    pod = build()
    volume = next(v for v in pod["spec"]["volumes"] if v["name"] == "engine")
    mount = next(m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "engine")

    assert volume["hostPath"] == {
        "path": "/var/run/hub-ib/docker-api",
        "type": "DirectoryOrCreate",
    }
    assert env(pod)["DOCKER_HOST"] == f"unix://{mount['mountPath']}/docker-api.sock"
    assert env(pod)["HTTPS_PROXY"] == "http://proxy"


def test_credentials_come_from_a_secret_alone():
    pod = build()
    volume = next(v for v in pod["spec"]["volumes"] if v["name"] == "push")

    assert volume["secret"]["optional"] is False
    assert volume["secret"]["items"] == [{"key": ".dockerconfigjson", "path": "config.json"}]
    without = build(settings=dataclasses.replace(SETTINGS, push_secret=""))
    assert [v["name"] for v in without["spec"]["volumes"]] == ["engine", "docker"]


def test_nodes_with_a_ready_engine_are_required_and_one_preferred():
    placement = place("git://example.org/hello", ["b", "a", "b"])
    node = build(placement=placement)["spec"]["affinity"]["nodeAffinity"]

    terms = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [term["matchFields"][0]["values"] for term in terms] == [["a"], ["b"]]
    assert placement.preferred in ("a", "b")
    assert place("git://example.org/hello", ["a", "b"]).preferred == placement.preferred


def test_without_a_ready_engine_the_scheduler_is_free():
    assert "affinity" not in build(placement=place("x", []))["spec"]


def test_losing_a_node_moves_only_its_own_repositories():
    nodes = [f"node-{i}" for i in range(5)]
    before = {f"repo-{i}": place(f"repo-{i}", nodes).preferred for i in range(50)}
    after = {name: place(name, nodes[1:]).preferred for name in before}

    assert len(set(before.values())) > 1
    assert all(after[n] == before[n] for n in before if before[n] != "node-0")


def test_only_ready_pods_that_stay_count_as_engines():
    def pod(node, ready="True", **metadata):
        return {
            "metadata": metadata,
            "spec": {"nodeName": node} if node else {},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    pods = [pod("a"), pod("b", "False"), pod("c", deletionTimestamp="now"), pod(None)]

    assert ready_nodes(pods) == ["a"]


def test_what_is_kept_of_a_pod_is_enough_to_adopt_it():
    pod = build()
    pod["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": ["x" * 9999]}
    pod["spec"]["nodeName"] = "node-1"
    pod["status"] = {"phase": "Running"}

    kept = manifest.slim(pod)

    assert manifest.read_request(kept) == manifest.read_request(pod)
    assert manifest.instance_of(kept) == "imagebuilder"
    assert (kept["spec"], kept["status"]) == ({"nodeName": "node-1"}, {"phase": "Running"})
    assert kept["metadata"]["uid"] == "u"
    assert len(json.dumps(kept)) < 2500 < len(json.dumps(pod))


PRIVATE = Private(
    "https://git.example.org/team/secret.git", "", {"gitconfig": b"the-login", "ca.pem": b"a"}
)


def private_pod():
    return manifest.build_pod(make_request(), SETTINGS, Placement(), PRIVATE)


def mounted(container):
    return {mount["name"]: mount for mount in container["volumeMounts"]}


def test_the_login_of_a_private_repository_is_in_another_container_than_the_build():
    spec = private_pod()["spec"]
    (fetcher,), (builder,) = spec["initContainers"], spec["containers"]

    assert set(mounted(fetcher)) == {"login", "fetched"}
    assert set(mounted(builder)) == {"engine", "docker", "push", "fetched"}
    assert mounted(builder)["fetched"]["readOnly"] is True
    assert builder["args"][0] == f"--fetched={mounted(builder)['fetched']['mountPath']}"
    assert builder["args"][1:] == build()["spec"]["containers"][0]["args"]
    assert PRIVATE.address in fetcher["command"]
    assert {"name": "HTTPS_PROXY", "value": "http://proxy"} in fetcher["env"]
    assert fetcher["securityContext"] == builder["securityContext"]


def test_what_is_public_has_nothing_of_it():
    pod = build()

    assert "initContainers" not in pod["spec"]
    assert manifest.login_secret(pod, PRIVATE) is None


def test_the_secret_goes_with_its_pod_and_no_other_has_its_name():
    pods = [private_pod(), private_pod()]
    for index, pod in enumerate(pods):
        pod["metadata"]["uid"] = f"uid-{index}"
    first, second = (manifest.login_secret(pod, PRIVATE) for pod in pods)

    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert len(first["metadata"]["name"]) <= 253
    (owner,) = first["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", "uid-0")
    assert base64.b64decode(first["data"]["gitconfig"]) == b"the-login"
    volume = next(v for v in pods[0]["spec"]["volumes"] if v["name"] == "login")
    assert volume["secret"]["secretName"] == first["metadata"]["name"]
    assert "the-login" not in json.dumps(pods)
    assert base64.b64encode(b"the-login").decode() not in json.dumps(pods)
