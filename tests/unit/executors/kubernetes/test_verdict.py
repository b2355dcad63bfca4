from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes import verdict


def pod(code=None, *, reason="Error", message="", metadata=None, **status):
    terminated = {"exitCode": code, "reason": reason, "message": message}
    state = {"terminated": terminated} if code is not None else {}
    return {
        "metadata": metadata or {},
        "spec": {},
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"name": "builder", "state": state}],
            **status,
        },
    }


EVICTED = pod(None)
EVICTED["status"]["reason"] = "Evicted"
DISRUPTED = [
    {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
]


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (pod(137, reason="OOMKilled"), Reason.OUT_OF_MEMORY),
        (pod(69, message="The container engine did not answer."), Reason.ENGINE_UNAVAILABLE),
        (EVICTED, Reason.EVICTED),
        (pod(1, message="ERROR: no space left on device"), Reason.DISK_FULL),
        (pod(1, message="#9 pushing layers\nERROR: denied"), Reason.PUSH_DENIED),
        (pod(1, message="make: *** Error 2"), Reason.BUILD_FAILED),
        (pod(143, metadata={"deletionTimestamp": "now"}), Reason.EXECUTOR_LOST),
        (pod(143, metadata={"deletionTimestamp": "now"}, conditions=DISRUPTED), Reason.EVICTED),
        (pod(None), Reason.BUILD_FAILED),
    ],
)
def test_an_end_has_its_reason(ended, reason):
    assert verdict.ending(ended, [], pushing=False).reason is reason


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("DeadlineExceeded", Reason.TIMEOUT),
        ("Evicted", Reason.EVICTED),
        ("NodeLost", Reason.EXECUTOR_LOST),
    ],
)
def test_what_the_cluster_did_comes_before_what_the_container_said(word, reason):
    ended = pod(137)
    ended["status"]["reason"] = word

    assert verdict.ending(ended, ["ERROR: x"], pushing=True).reason is reason


def test_a_success_is_no_error():
    ended = pod(0)
    ended["status"]["phase"] = "Succeeded"

    assert verdict.ending(ended, ["ERROR: denied"], pushing=True) is None


def test_the_log_is_better_than_the_status():
    error = verdict.ending(pod(1, message="ERROR: short"), ["ERROR: whole"], pushing=False)

    assert "whole" in error.message
