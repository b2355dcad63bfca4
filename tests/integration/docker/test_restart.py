"""The service as a process of its own is killed in mid-build; the next one goes on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.executors import repo2docker
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE
from tests.integration.cluster.faults.service import Service
from tests.integration.cluster.polling import until

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]

TICKS = "for i in $(seq 1 32); do echo TICK $i; sleep 0.25; done"


@pytest.fixture
def instance():
    return f"t-{secrets.token_hex(4)}"


@pytest.fixture
def start_service(engine, instance, tmp_path):
    """Starts a service that keeps images in the engine; the file is where processes log."""
    started = []

    def start(**settings) -> Service:
        found = Service(
            tmp_path,
            Path("/nowhere"),
            {
                "ImageBuilder": {
                    "executor_class": "docker",
                    "image_prefix": f"{instance}/",
                    "linger": 4,  # the time for reading the engine's log
                },
                "DockerExecutor": {
                    "docker_host": engine.host,
                    "instance": instance,
                    "build_image": f"{os.environ['IB_OPEN_REGISTRY']}/repo2docker:1",
                    "buildx_args": ["--provenance=false", "--no-cache"],
                    **settings,
                },
                "KubernetesExecutor": {},
                # the cluster's Git server
                "HostProvider": {"allowed_networks": [os.environ["IB_NODE_ADDRESS"]]},
            },
        )
        started.append(found)
        found.start()
        return found

    yield start
    for service in started:
        service.end()


def containers(engine, instance):
    with contextlib.closing(engine.client()) as client:
        filters = {"label": f"{container.INSTANCE}={instance}"}
        return client.containers(all=True, filters=filters)


def kept_lines(engine, instance):
    """The log of the only build as the engine has it, in lines as a viewer sees them."""
    (found,) = containers(engine, instance)
    with contextlib.closing(engine.client()) as client:
        first, *raw = client.logs(found["Id"]).decode().splitlines()
    assert first == FIRST_LINE
    return [line for item in raw for line in repo2docker.read_line(item).text.split("\n")]


@pytest.mark.parametrize("later", [False, True])
def test_each_line_is_told_once(start_service, engine, repository, instance, later):
    service = start_service()
    viewer = service.build(f"{os.environ['IB_GIT']}/{repository(TICKS)}")
    viewer.sees("TICK 7")

    service.kill()
    if later:  # the build ends while nobody looks
        until(lambda: containers(engine, instance)[0]["State"] == "exited", what="its end")
    service.start()

    last = viewer.end(60)
    assert last["phase"] == "built", last
    assert viewer.gaps == []
    assert viewer.lines == kept_lines(engine, instance)
    assert len(set(viewer.ids)) == len(viewer.ids) == len(viewer.lines)
    assert json.dumps(viewer.lines).count("TICK 32") == 1
    until(lambda: not containers(engine, instance), what="the container's removal")


def test_a_build_that_is_stopped_is_stopped_in_the_engine(
    start_service, engine, repository, instance
):
    service = start_service()
    viewer = service.build(f"{os.environ['IB_GIT']}/{repository(TICKS)}")
    viewer.sees("TICK 3")

    answer = service.api("POST", f"/api/builds/{viewer.build}/cancel")

    assert answer.status < 300, answer
    assert viewer.end(10)["phase"] == "cancelled"
    assert containers(engine, instance) == []
