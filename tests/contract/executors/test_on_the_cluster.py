"""What only a real kubelet can show: rights, and trouble in the words of Kubernetes itself."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.ports import Ended
from jupyterhub_imagebuilder.errors import Reason

from .cluster import PUSH_SECRET, ClusterHarness, kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


async def outcome(harness, repository="hello"):
    async with harness.running():
        claim = await harness.executor.claim(harness.request(repository))
        return [observation async for observation in harness.executor.follow(claim)]


@pytest.mark.parametrize(
    ("settings", "reason", "words"),
    [
        ({"push_secret": "not-there", "mount_grace": 4}, Reason.MOUNT_FAILED, "not-there"),
        ({"build_image": "localhost:1/nope:1", "pull_grace": 4}, Reason.IMAGE_PULL, "nope:1"),
        (
            {"node_selector": {"no": "where"}, "node_wait": 3},
            Reason.UNSCHEDULABLE,
            "nodes are available",
        ),
        (
            {"engine_socket_dir": "/var/run/{0}/nothing", "engine_wait": 1},
            Reason.ENGINE_UNAVAILABLE,
            "within 1 seconds",
        ),
        ({"push_secret": ""}, Reason.PUSH_DENIED, "refused the push"),
        ({"deadline": 2}, Reason.TIMEOUT, "longer than it may"),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
async def test_trouble_ends_with_its_reason(engine, service_account, settings, reason, words):
    settings = {
        name: value.format(engine.namespace) if isinstance(value, str) else value
        for name, value in settings.items()
    }
    harness = ClusterHarness(engine, service_account, **settings)

    said = await outcome(harness, "slow" if reason is Reason.TIMEOUT else "hello")

    assert isinstance(said[-1], Ended)
    assert said[-1].error is not None
    assert (said[-1].error.reason, words in said[-1].error.message) == (reason, True)


@pytest.mark.parametrize(("repository", "words"), [("hello", ""), ("broken", "does-not-exist")])
async def test_without_the_right_to_read_logs_builds_work(
    engine, stock_service_account, repository, words
):
    harness = ClusterHarness(engine, stock_service_account)

    said = await outcome(harness, repository)

    notes = [item.message for item in said if isinstance(item, PhaseChanged)]
    assert any("may not read the logs of pods" in note for note in notes)
    text = "\n".join(item.text for item in said if isinstance(item, LogLine))
    assert words in text
    assert "Traceback" not in text
    error = said[-1].error
    assert (error is None) == (not words)
    assert error is None or words in error.message


async def test_a_pod_that_someone_deletes_is_lost_within_seconds(engine, service_account):
    harness = ClusterHarness(engine, service_account)
    async with harness.running():
        claim = await harness.executor.claim(harness.request("slow"))
        said = []
        async with asyncio.timeout(60):
            async for observation in harness.executor.follow(claim):
                said.append(observation)
                if isinstance(observation, LogLine) and observation.index == 2:
                    kubectl(
                        "-n", engine.namespace, "delete", "pod", claim.request.name, "--wait=false"
                    )
    assert isinstance(said[-1], Ended)
    assert said[-1].error.reason is Reason.EXECUTOR_LOST


async def test_credentials_are_read_from_a_secret(engine, service_account):
    harness = ClusterHarness(engine, service_account)
    async with harness.running():
        found = await harness.executor.read_secret(PUSH_SECRET, ".dockerconfigjson")
        assert found is not None
        assert b"auths" in found
        assert await harness.executor.read_secret(PUSH_SECRET, "other") is None
        assert await harness.executor.read_secret("not-there", "other") is None
