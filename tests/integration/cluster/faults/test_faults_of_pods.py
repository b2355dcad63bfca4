"""What can happen to one build's pod, made for real: the reason, in time, and nothing left.

Bounds that are a promise come from the executor's options, which a test sets; what is added to
them is the time that Kubernetes itself takes, and ``PROMPT``.
"""

from __future__ import annotations

import base64
import json
import secrets

import pytest

from tests.integration.cluster.faults import dockerfiles, images
from tests.integration.cluster.faults.conftest import PROMPT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _nothing_stays_behind(no_pod_left):
    yield
    no_pod_left()


@pytest.fixture
def copy_push_secret(kubectl, engine):
    """Creates a Secret like the one that pushes, with another password if one is given."""

    def copy(name, password=None):
        where = ("-n", engine.namespace, "-o", "json")
        secret = json.loads(kubectl("get", "secret", engine.push_secret, *where))
        if password is not None:
            config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
            for login in config["auths"].values():
                login.pop("auth", None)
                login["password"] = password
            wrong = base64.b64encode(json.dumps(config).encode()).decode()
            secret["data"][".dockerconfigjson"] = wrong
        kept = {key: secret[key] for key in ("apiVersion", "kind", "type", "data")}
        kept["metadata"] = {"name": name, "namespace": engine.namespace}
        kubectl("create", "-f", "-", stdin=json.dumps(kept))

    return copy


def test_a_build_image_that_is_not_there_yet(start_service, cluster_env, new_repository, fault):
    image = f"{cluster_env.open_registry}/t-{secrets.token_hex(4)}:1"
    service = start_service(KubernetesExecutor={"build_image": image, "pull_grace": 3})
    url = new_repository(dockerfiles.quick).url
    viewer = service.build(url)
    failure = fault.fails(viewer, within=3 + PROMPT)
    assert failure.reason == "image-pull"
    # Kubernetes' own words: they name the image and say what the registry answered
    assert image in failure.message
    assert "not found" in failure.message
    images.copy(cluster_env, "repo2docker:1", image)
    fault.builds_now(url, viewer, by=service)


def test_a_push_secret_that_is_not_there_yet(
    start_service, copy_push_secret, new_repository, fault
):
    name = f"late-{secrets.token_hex(3)}"
    service = start_service(KubernetesExecutor={"push_secret": name, "mount_grace": 3})
    url = new_repository(dockerfiles.quick).url
    viewer = service.build(url)
    failure = fault.fails(viewer, within=3 + PROMPT)
    assert failure.reason == "mount-failed"
    assert f'secret "{name}" not found' in failure.message
    copy_push_secret(name)
    fault.builds_now(url, viewer, by=service)


def test_a_node_without_an_engines_socket(start_service, new_repository, fault):
    folder = f"/var/run/ib-test-none-{secrets.token_hex(3)}"
    service = start_service(KubernetesExecutor={"engine_socket_dir": folder, "engine_wait": 3})
    url = new_repository(dockerfiles.quick).url
    viewer = service.build(url)
    failure = fault.fails(viewer, within=3 + PROMPT)
    assert failure.reason == "engine-unavailable"
    assert "within 3 seconds" in failure.message
    fault.builds_now(url, viewer)


def test_a_registry_that_denies_the_push(start_service, copy_push_secret, new_repository, fault):
    name = f"wrong-{secrets.token_hex(3)}"
    copy_push_secret(name, password="not-the-password")
    service = start_service(KubernetesExecutor={"push_secret": name})
    url = new_repository(dockerfiles.quick).url
    viewer = service.build(url)
    viewer.reaches("pushing")
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "push-denied"
    assert "not-the-password" not in failure.message + service.log
    fault.builds_now(url, viewer)


def test_a_step_that_says_nothing_for_too_long(start_service, new_repository, fault):
    # longer than a busy engine takes from the pod's first line to the build's first step
    service = start_service(KubernetesExecutor={"silence": 10})
    url = new_repository(dockerfiles.silent, seconds=15).url
    viewer = service.build(url)
    viewer.sees("; echo SILENCE")
    failure = fault.fails(viewer, within=10 + PROMPT)
    assert failure.reason == "timeout"
    assert "10 seconds" in failure.message
    fault.builds_now(url, viewer)


def test_a_build_that_takes_longer_than_it_may(start_service, new_repository, fault):
    service = start_service(KubernetesExecutor={"deadline": 4})
    url = new_repository(dockerfiles.ticking, seconds=5).url
    viewer = service.build(url)
    failure = fault.fails(viewer, within=4 + PROMPT)
    assert failure.reason == "timeout"
    fault.builds_now(url, viewer)


def test_a_build_pod_that_needs_more_memory_than_it_may(start_service, new_repository, fault):
    memory = {"memory": "32Mi"}
    service = start_service(
        KubernetesExecutor={"resources": {"limits": memory, "requests": memory}}
    )
    url = new_repository(dockerfiles.quick).url
    viewer = service.build(url)
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "out-of-memory"
    assert "build pod" in failure.message
    fault.builds_now(url, viewer)


@pytest.mark.parametrize("how", [(), ("--force", "--grace-period=0")])
def test_a_pod_that_somebody_deletes(service, new_repository, fault, build_pod, how):
    # long enough that it is not pushed before somebody's request has reached the kubelet
    url = new_repository(dockerfiles.ticking, seconds=10).url
    viewer = service.build(url)
    viewer.sees("TICK 3")
    build_pod.delete(*how)
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "executor-lost"
    assert "deleted" in failure.message
    fault.builds_now(url, viewer)


def test_a_pod_that_is_evicted(service, new_repository, fault, build_pod):
    # long enough that it is not pushed before somebody's request has reached the kubelet
    url = new_repository(dockerfiles.ticking, seconds=10).url
    viewer = service.build(url)
    viewer.sees("TICK 3")
    build_pod.evict()
    failure = fault.fails(viewer, within=PROMPT)
    assert failure.reason == "evicted"
    fault.builds_now(url, viewer)


def test_a_repository_that_goes_away_before_it_is_cloned(service, new_repository, fault):
    repository = new_repository(dockerfiles.quick)
    hidden = repository.folder.with_name(f"{repository.folder.name}-hidden")
    viewer = service.build(repository.url)
    # its pod takes longer to start than this
    repository.folder.rename(hidden)
    try:
        failure = fault.fails(viewer, within=PROMPT)
    finally:
        hidden.rename(repository.folder)
    assert failure.reason == "ref-not-found"
    fault.builds_now(repository.url, viewer)


def test_a_service_that_may_not_read_logs(start_service, new_repository, fault):
    service = start_service(account="stock")
    viewer = service.build(new_repository(dockerfiles.ticking, seconds=6).url)
    viewer.sees("may not read the logs", seconds=PROMPT)
    assert viewer.end(60)["phase"] == "built"
    assert viewer.lines == []

    viewer = service.build(new_repository(dockerfiles.failing).url)
    viewer.sees("may not read the logs", seconds=PROMPT)
    failure = fault.fails(viewer, within=2 * PROMPT)
    assert failure.reason == "build-failed"
    # the pod's status keeps the end of the log
    assert "WHY-IT-FAILED" in failure.message
    assert any("WHY-IT-FAILED" in line for line in viewer.lines)


def test_a_repository_that_is_not_there(service, cluster_env):
    answer = service.ask(f"{cluster_env.git}/no-such-repository")
    assert (answer.status, answer.body["reason"]) == (404, "ref-not-found")


def test_a_ref_that_is_not_there_yet(service, new_repository):
    repository = new_repository(dockerfiles.quick)
    answer = service.ask(f"{repository.url}@late")
    assert (answer.status, answer.body["reason"]) == (404, "ref-not-found")
    repository.branch("late")
    assert service.build(f"{repository.url}@late").end(60)["phase"] == "built"
