"""The ends of real logs, and the reasons that they give."""

from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.diagnosis import explain

COMMAND = "Error during build: Command '['docker', 'buildx']' returned non-zero exit status 1."
PIP = [
    "#5 [2/2] RUN pip install nope",
    "#5 0.643 ERROR: No matching distribution found for nope",
    "#5 ERROR: executor failed running [/bin/sh -c pip install nope]: exit code: 1",
    "------",
    " > [2/2] RUN pip install nope:",
    "0.434 Defaulting to user installation",
    "0.643 ERROR: No matching distribution found for nope",
    "------",
    "ERROR: failed to build: failed to solve: executor failed running: exit code: 1",
    COMMAND,
]
PUSH = [
    "#9 pushing 10.85.0.1:5000/t2:t1 with docker",
    "#9 pushing layer 7a30c68a24bd done",
    "#9 ERROR: {0}",
    "------",
    " > pushing 10.85.0.1:5000/t2:t1 with docker:",
    "------",
    "ERROR: failed to build: {0}",
    COMMAND,
]


def pushed(error):
    return [line.format(error) for line in PUSH]


@pytest.mark.parametrize(
    ("lines", "reason", "words"),
    [
        (PIP, Reason.BUILD_FAILED, "RUN pip install nope: ERROR: No matching distribution"),
        (
            ["Cloning into x", "fatal: access denied", "Error during build: Failed to clone x."],
            Reason.BUILD_FAILED,
            "fatal: access denied",
        ),
        (pushed("no basic auth credentials"), Reason.PUSH_DENIED, "no basic auth credentials"),
        (pushed("unauthorized: authentication required"), Reason.PUSH_DENIED, "unauthorized"),
        (pushed("dial tcp 1.2.3.4:5000: connection refused"), Reason.PUSH_FAILED, "refused"),
        (pushed("write /x: no space left on device"), Reason.DISK_FULL, "no space left"),
        # the step that pushed has scrolled away: its summary remains
        (pushed("denied")[4:], Reason.PUSH_DENIED, "denied"),
        (
            ['#5 ERROR: process "/bin/sh -c make" did not complete: exit code: 137', COMMAND],
            Reason.OUT_OF_MEMORY,
            "memory",
        ),
        (["The command returned a non-zero code: 1370"], Reason.BUILD_FAILED, "1370"),
        # a private base image is no push
        (["#3 ERROR: pull access denied for base"], Reason.BUILD_FAILED, "pull access denied"),
        (["it went on", "Killed"], Reason.BUILD_FAILED, "Killed"),
        ([], Reason.BUILD_FAILED, "does not say why"),
        ([COMMAND], Reason.BUILD_FAILED, "does not say why"),
    ],
)
def test_a_log_says_why(lines, reason, words):
    error = explain(lines)

    assert error.reason is reason
    assert words in error.message
    assert "docker', 'buildx" not in error.message


def test_a_failure_after_the_push_began_is_the_pushs():
    assert explain(["ERROR: EOF"], pushing=True).reason is Reason.PUSH_FAILED


def test_a_message_stays_readable():
    assert len(explain(["ERROR: " + "x" * 5000]).message) < 400


def test_what_was_said_long_before_is_no_reason():
    lines = ["no space left on device", *["fine"] * 100, "ERROR: a test failed"]

    assert explain(lines).reason is Reason.BUILD_FAILED
