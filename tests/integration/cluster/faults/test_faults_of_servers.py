"""The service, its registry and the repositories' host are killed, early and in mid-build."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.cluster.faults import dockerfiles, servers
from tests.integration.cluster.faults.conftest import LINGER, PROMPT
from tests.integration.cluster.polling import until

#: Seconds after which dockerd ends a push: five attempts, with pauses of 5, 10, 15 and 20 s.
ENGINE_GIVES_UP = 50

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _nothing_stays_behind(no_pod_left):
    yield
    no_pod_left()


@pytest.fixture
def git_server(cluster_env, tmp_path):
    """A running host of the test's own for the same repositories."""
    server = servers.git_server(tmp_path, Path(cluster_env.git_dir), cluster_env.node_address)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def start_with(start_service, registry):
    """Starts services that push to the test's own registry."""

    def start():
        return start_service(
            ImageBuilder={"image_prefix": f"{registry.address}/t/"},
            DistributionRegistry={"insecure": True},
        )

    return start


def test_the_registry_is_killed_in_mid_push_and_comes_back(start_with, registry, new_repository):
    service = start_with()
    viewer = service.build(new_repository(dockerfiles.heavy).url)
    viewer.reaches("pushing")
    registry.kill()
    time.sleep(2)  # long enough to break the push, shorter than the engine's patience
    registry.start()
    assert viewer.end(90)["phase"] == "built"


def test_the_registry_is_killed_in_mid_push_and_stays_away(
    start_with, registry, new_repository, fault
):
    service = start_with()
    url = new_repository(dockerfiles.heavy).url
    viewer = service.build(url)
    viewer.reaches("pushing")
    registry.kill()
    failure = fault.fails(viewer, within=ENGINE_GIVES_UP + PROMPT)
    assert failure.reason == "push-failed"
    assert registry.address in failure.message
    registry.start()
    fault.builds_now(url, viewer, by=service)


def test_the_registry_is_down_before_the_look_up(
    start_with, registry, new_repository, pods_created, fault
):
    service = start_with()
    url = new_repository(dockerfiles.heavy, megabytes=1).url
    registry.kill()
    begin = time.monotonic()
    answer = service.ask(url)
    seconds = time.monotonic() - begin
    assert (answer.status, answer.body["reason"]) == (503, "registry-unavailable")
    assert seconds < PROMPT
    assert pods_created() == []
    fault.tell(f"{answer.body['reason']} after {seconds:.1f} s: {answer.message}")
    registry.start()
    assert service.build(url).end(60)["phase"] == "built"


def test_the_repositories_host_is_down(service, git_server, new_repository, fault):
    url = f"git://{git_server.address}/{new_repository(dockerfiles.quick).folder.name}"
    git_server.kill()
    begin = time.monotonic()
    answer = service.ask(url)
    seconds = time.monotonic() - begin
    assert (answer.status, answer.body["reason"]) == (502, "provider-unavailable")
    assert seconds < PROMPT
    fault.tell(f"{answer.body['reason']} after {seconds:.1f} s: {answer.message}")
    git_server.start()
    assert service.build(url).end(60)["phase"] == "built"


def test_the_service_is_killed_in_mid_build(start_service, new_repository, is_exact, pods_created):
    service = start_service(ImageBuilder={"linger": LINGER})
    viewer = service.build(new_repository(dockerfiles.ticking, seconds=5).url)
    viewer.sees("TICK 5")
    service.kill()
    service.start()
    is_exact(viewer)
    assert len(pods_created()) == 1


def test_the_service_is_killed_and_comes_back_when_the_build_is_over(
    start_service, new_repository, is_exact, build_pod, pods_created
):
    service = start_service(ImageBuilder={"linger": LINGER})
    viewer = service.build(new_repository(dockerfiles.ticking, seconds=3).url)
    viewer.sees("TICK 5")
    service.kill()
    until(lambda: build_pod.phase() == "Succeeded", what="the end of the pod")
    service.start()
    is_exact(viewer)
    assert len(pods_created()) == 1
