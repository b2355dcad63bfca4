"""Parts of Kubernetes are killed in the middle of a build, or its node takes no more pods.

Who runs this alone has the cluster to themselves: all its builds would notice.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.integration.cluster.faults import dockerfiles
from tests.integration.cluster.faults.conftest import PROMPT
from tests.integration.cluster.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _nothing_stays_behind(no_pod_left):
    yield
    no_pod_left()


@pytest.mark.parametrize("part", ["apiserver", "kubelet", "controller-manager", "scheduler"])
def test_a_part_of_kubernetes_is_killed_in_mid_build(
    part, lingering, broken_part, new_repository, is_exact
):
    viewer = lingering.build(new_repository(dockerfiles.ticking, seconds=5).url)
    viewer.sees("TICK 5")
    broken_part.kill(part)
    broken_part.up()
    is_exact(viewer)


def test_the_api_server_is_down_when_a_build_is_asked_for(
    service, broken_part, new_repository, fault
):
    url = new_repository(dockerfiles.quick).url
    broken_part.kill("apiserver")
    viewer = service.build(url)
    # a request is tried four times, with pauses of some seconds in all
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "executor-lost"
    assert failure.message.startswith("Kubernetes does not answer")
    broken_part.ask_anew()
    fault.builds_now(url, viewer)


def test_a_build_is_asked_for_while_the_api_server_comes_back(
    service, broken_part, new_repository, cluster_env
):
    urls = [new_repository(dockerfiles.quick).url for _ in range(2)]
    config = yaml.safe_load(Path(cluster_env.kubeconfig).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    viewers = [service.build(urls[0])]
    broken_part.kill("apiserver")
    with ThreadPoolExecutor(1) as pool:
        up = pool.submit(broken_part.up)
        # one that has just begun to listen knows no role yet and forbids everything to everyone
        until(lambda: _connects(server.hostname, server.port), what="the server", every=0.02)
        viewers.append(service.build(urls[1]))
        up.result()
    assert [viewer.end(60)["phase"] for viewer in viewers] == ["built", "built"]


def _connects(host, port):
    socket.create_connection((host, port), timeout=1).close()
    return True


def test_a_node_that_is_cordoned_for_too_long(start_service, new_repository, fault, cordoned):
    service = start_service(KubernetesExecutor={"node_wait": 3})
    url = new_repository(dockerfiles.quick).url
    with cordoned():
        viewer = service.build(url)
        viewer.sees("unschedulable", seconds=PROMPT)  # Kubernetes' own word, while it waits
        failure = fault.fails(viewer, within=3 + PROMPT)
    assert failure.reason == "unschedulable"
    assert "unschedulable" in failure.message
    fault.builds_now(url, viewer)


def test_a_node_that_is_uncordoned_in_time(service, new_repository, cordoned):
    with cordoned():
        viewer = service.build(new_repository(dockerfiles.quick).url)
        viewer.sees("unschedulable", seconds=PROMPT)
    assert viewer.end(60)["phase"] == "built"
