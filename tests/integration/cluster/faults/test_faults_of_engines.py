"""What can happen to the engine under a build: it dies, its disk is full, its memory is used up."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.integration.cluster.engine import CHART, chart_values, pods_ready
from tests.integration.cluster.faults import dockerfiles
from tests.integration.cluster.faults.conftest import PROMPT
from tests.integration.cluster.faults.parts import engine_pid, kill
from tests.integration.cluster.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

#: MiB; the base image takes about 400 of the disk.
DISK, MEMORY = 700, 400
RELEASE = "small"


@pytest.fixture(autouse=True)
def _nothing_stays_behind(no_pod_left):
    yield
    no_pod_left()


@pytest.fixture(scope="module")
def small_disk(parts, tmp_path_factory):
    """A file system of its own on the node, which is this machine; where it is mounted."""
    folder = tmp_path_factory.mktemp("disk")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)
        image.unlink()


@pytest.fixture(scope="module")
def small_engine(cluster_env, kubectl, helm, engine, small_disk):
    """Another engine of the same node with little disk and memory; its socket's folder."""
    folder = f"/var/run/{engine.namespace}-{RELEASE}/docker-api"
    values = chart_values(cluster_env, engine.unverified_registry, folder)
    values["dockerApi"] |= {
        "storage": {"hostPath": {"path": str(small_disk), "type": "Directory"}},
        "resources": {"limits": {"memory": f"{MEMORY}Mi"}, "requests": {"memory": "64Mi"}},
        "terminationGracePeriodSeconds": 5,
    }
    values["rbac"] = {"create": False}
    helm(
        *("install", RELEASE, str(CHART), "-n", engine.namespace, "-f", "-"),
        stdin=json.dumps(values),
    )
    selector = f"app.kubernetes.io/component=docker-api,app.kubernetes.io/instance={RELEASE}"
    try:
        until(
            lambda: pods_ready(kubectl, engine.namespace, selector) == "True",
            what="the small engine",
            seconds=60,
        )
        socket = f"unix://{folder}/docker-api.sock"
        pull = ("docker", "-H", socket, "pull", "-q", f"{cluster_env.open_registry}/base:1")
        pod = f"daemonset/{RELEASE}-docker-api"
        kubectl("exec", "-n", engine.namespace, pod, "--", *pull)
        yield folder
    finally:
        helm("uninstall", RELEASE, "-n", engine.namespace, "--wait")


@pytest.fixture(scope="module")
def small_service(start_service, small_engine):
    return start_service(
        KubernetesExecutor={"engine_socket_dir": small_engine, "engine_selector": ""}
    )


def test_a_disk_that_is_full(small_service, new_repository, fault):
    url = new_repository(dockerfiles.filling, megabytes=DISK).url
    viewer = small_service.build(url)
    viewer.reaches("building")
    failure = fault.fails(viewer, within=30 + PROMPT)  # what it takes to fill the disk
    assert failure.reason == "disk-full"
    assert any("No space left on device" in line for line in viewer.lines)
    fault.builds_now(url, viewer)


def test_a_step_that_the_kernel_kills_for_its_memory(small_service, new_repository, fault):
    url = new_repository(dockerfiles.hungry, megabytes=2 * MEMORY).url
    viewer = small_service.build(url)
    viewer.reaches("building")
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "out-of-memory"
    assert "137" in failure.message or "memory" in failure.message
    fault.builds_now(url, viewer)


def test_an_engine_that_is_killed(small_service, small_engine, new_repository, fault):
    url = new_repository(dockerfiles.ticking).url
    viewer = small_service.build(url)
    viewer.sees("TICK 3")
    kill(engine_pid(f"{small_engine}/docker-api.sock"))
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "engine-unavailable"
    # the kubelet starts it again; a build that comes too early waits for it
    again = small_service.build(url)
    assert again.image == viewer.image
    assert again.end(90)["phase"] == "built"
