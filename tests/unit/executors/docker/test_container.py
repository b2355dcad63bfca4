from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.ports import ClaimState
from jupyterhub_imagebuilder.executors.docker import container
from tests.unit.executors.docker.fake_engine import mounts
from tests.unit.executors.requests import make_request

SETTINGS = container.ContainerSettings("image:1", "one", "/run/engine.sock")


def listed(request, state="running", **labels):
    body = container.build_container(request, SETTINGS, "u1")
    return {
        "Names": [f"/{request.name}"],
        "State": state,
        "Labels": body["Labels"] | labels,
        "Mounts": mounts(body),
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("created", ClaimState.RUNNING),
        ("running", ClaimState.RUNNING),
        ("exited", ClaimState.FINISHED),
        ("dead", ClaimState.FINISHED),
    ],
)
def test_what_a_container_says_is_enough_to_adopt_it(state, expected):
    request = make_request()

    claim = container.read_claim(listed(request, state))

    assert (claim.request, claim.uid, claim.state) == (request, "u1", expected)
    assert claim.request.owner == request.owner


def test_a_foreign_container_is_none_of_ours():
    request = make_request()
    assert container.read_claim({"Names": ["/x"], "State": "running", "Labels": None}) is None
    assert container.read_claim(listed(request, **{container.UID: ""})) is None


@pytest.mark.parametrize(
    "mounts",
    [
        None,
        [],
        [{"Type": "bind", "Source": "/run/engine.sock", "Destination": "/data"}],
        # what an image can bring along by itself
        [{"Type": "volume", "Source": "/volumes/x", "Destination": "/var/run/docker.sock"}],
    ],
)
def test_labels_alone_which_an_image_hands_down_make_no_build(mounts):
    assert container.read_claim(listed(make_request()) | {"Mounts": mounts}) is None


def test_it_has_the_socket_its_limits_and_no_rights():
    settings = container.ContainerSettings(
        "image:1", "one", "/run/engine.sock", deadline=9, memory=10**9, cpus=1.5, network="builds"
    )

    body = container.build_container(make_request(), settings, "u1")

    host = body["HostConfig"]
    assert [mount["Source"] for mount in host["Mounts"]] == ["/run/engine.sock"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (10**9, 10**9, 1_500_000_000)
    assert host["NetworkMode"] == "builds"
    assert host["CapDrop"] == ["ALL"]
    assert "IMAGEBUILDER_DEADLINE=9" in body["Env"]
    assert f"IMAGEBUILDER_LOG_LIMIT={100 * 2**20}" in body["Env"]


@pytest.mark.parametrize(("registry", "pushes"), [("", False), ("registry.example.org", True)])
def test_only_where_there_is_a_registry_it_pushes(registry, pushes):
    request = make_request(registry=registry)

    arguments = container.build_container(request, SETTINGS, "u1")["Cmd"]

    assert ("--push" in arguments) is pushes
    assert f"{container.IMAGE}={request.image}" in arguments
    assert arguments[-1] == request.spec.repository
