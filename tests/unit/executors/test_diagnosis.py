"""The ends of real logs, and the reasons that they give."""

from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.diagnosis import explain

COMMAND = "Error during build: Command '['docker', 'buildx']' returned non-zero exit status 1."
CLONE = "Error during build: Failed to clone repository from x (ref abc)."
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


LOST = (
    "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"
)
NO_ENGINE = "Cannot connect to the Docker daemon at unix:///run/docker-api.sock. Is it running?"
HOOK = (
    "runc run failed: unable to start container process: error during container init: error"
    ' running hook #0: error running hook: exit status 1, stdout: , stderr: time="2026" level=fatal'
    ' msg="dial unix /var/run/docker/libnetwork/1234.sock: connect: connection refused"'
)


def step(printed, error):
    """How BuildKit tells of a step that failed, behind what it printed."""
    command = "/bin/sh -c make"
    return [
        "#5 [2/2] RUN make",
        f"#5 0.174 {printed}",
        f"#5 ERROR: executor failed running [{command}]: {error}",
        "------",
        " > [2/2] RUN make:",
        f"0.174 {printed}",
        "------",
        f"ERROR: failed to build: failed to solve: executor failed running [{command}]: {error}",
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
        (step("Killed", "exit code: 137"), Reason.OUT_OF_MEMORY, "RUN make: Killed"),
        # the classic builder's words
        (
            ["before", "Killed", "The command '/bin/sh -c make' returned a non-zero code: 137"],
            Reason.OUT_OF_MEMORY,
            "memory",
        ),
        (
            step("g++: fatal error: Killed signal terminated program cc1plus", "exit code: 1"),
            Reason.OUT_OF_MEMORY,
            "cc1plus",
        ),
        (
            step("head: error writing 'standard output': No space left on device", "exit code: 1"),
            Reason.DISK_FULL,
            "RUN make: head",
        ),
        # the engine was killed in a step, and in a push
        (
            ["#5 0.164 before", f"ERROR: failed to build: {LOST}", COMMAND],
            Reason.ENGINE_UNAVAILABLE,
            "reading from server: EOF",
        ),
        (pushed("unexpected EOF"), Reason.ENGINE_UNAVAILABLE, "unexpected EOF"),
        (pushed(LOST), Reason.ENGINE_UNAVAILABLE, "reading from server: EOF"),
        (step(HOOK, "exit code: 1"), Reason.ENGINE_UNAVAILABLE, "went away"),
        # or before the first one
        (
            [
                "HEAD is now at bbc4577 x",
                NO_ENGINE,
                "Error during build: The docker commandline client must be installed: Command '[]'",
            ],
            Reason.ENGINE_UNAVAILABLE,
            NO_ENGINE,
        ),
        # a repository's own use of an engine is none of ours
        (step(NO_ENGINE, "exit code: 1"), Reason.BUILD_FAILED, NO_ENGINE),
        (step(f"ERROR: {LOST}", "exit code: 1"), Reason.BUILD_FAILED, "EOF"),
        # a registry that goes away in a push
        (
            pushed("write tcp 10.0.0.1:4->10.0.0.2:5000: write: connection reset by peer"),
            Reason.PUSH_FAILED,
            "reset by peer",
        ),
        (
            pushed("write tcp 10.0.0.1:4->10.0.0.2:5000: use of closed network connection"),
            Reason.PUSH_FAILED,
            "closed",
        ),
        (
            pushed("received unexpected HTTP status: 503 Service Unavailable"),
            Reason.PUSH_FAILED,
            "503",
        ),
        (pushed('Put "http://10.0.0.2:5000/v2/x": EOF'), Reason.PUSH_FAILED, "EOF"),
        (["The command returned a non-zero code: 1370"], Reason.BUILD_FAILED, "1370"),
        # a private base image is no push
        (["#3 ERROR: pull access denied for base"], Reason.BUILD_FAILED, "pull access denied"),
        # the build pod's own docker client was killed
        (
            ["#5 0.1 x", f"{COMMAND.partition(' returned')[0]} died with <Signals.SIGKILL: 9>."],
            Reason.OUT_OF_MEMORY,
            "memory",
        ),
        # the repository, or the commit, went away between look-up and clone
        (
            ["Cloning into x", "fatal: remote error: access denied or not exported: /x", CLONE],
            Reason.REF_NOT_FOUND,
            "fatal: remote error: access denied",
        ),
        (
            ["remote: Not Found", "fatal: repository 'https://example.org/a/b/' not found", CLONE],
            Reason.REF_NOT_FOUND,
            "'https://example.org/a/b/' not found",
        ),
        # what hosts say to who has no login
        (
            ["fatal: could not read Username for 'https://example.org': No such device", CLONE],
            Reason.REF_NOT_FOUND,
            "could not read Username",
        ),
        (["fatal: reference is not a tree: abc", CLONE], Reason.REF_NOT_FOUND, "not a tree"),
        # a whole commit that is in no branch: repo2docker resets to it without a look
        (
            ["Cloning into x", f"fatal: Could not parse object '{'1' * 40}'.", CLONE],
            Reason.REF_NOT_FOUND,
            "Could not parse object",
        ),
        (["fatal: couldn't find remote ref abc", CLONE], Reason.REF_NOT_FOUND, "remote ref abc"),
        (["Failed to check out ref abc", CLONE], Reason.REF_NOT_FOUND, "check out ref abc"),
        # archives and Mercurial
        (
            [
                "Fetching",
                "Error during build: 404 Client Error: Not Found for url: https://example.org/x",
            ],
            Reason.REF_NOT_FOUND,
            "404 Client Error",
        ),
        (
            ["requests.exceptions.HTTPError: 404 Client Error: NOT FOUND for url: https://x/y"],
            Reason.REF_NOT_FOUND,
            "404 Client Error",
        ),
        (
            ["urllib.error.HTTPError: HTTP Error 404: Not Found"],
            Reason.REF_NOT_FOUND,
            "HTTP Error 404",
        ),
        (
            ["500 Server Error: Oops for url: https://example.org/x"],
            Reason.BUILD_FAILED,
            "500 Server Error",
        ),
        (["Failed to update to ref abc", CLONE], Reason.REF_NOT_FOUND, "update to ref abc"),
        (["abort: HTTP Error 404: Not Found", CLONE], Reason.REF_NOT_FOUND, "HTTP Error 404"),
        (
            ["ValueError: The dataset is not what it was when it was chosen, and its archive"],
            Reason.REF_NOT_FOUND,
            "is not what it was",
        ),
        (
            ["Error during build: The archive does not know this dataset any more."],
            Reason.REF_NOT_FOUND,
            "does not know",
        ),
        (
            ["swh.model.exceptions.NotFoundExc: no such object"],
            Reason.REF_NOT_FOUND,
            "NotFoundExc",
        ),
        # what a step of the build prints is none of it
        (
            step("404 Client Error: Not Found for url: https://example.org/x", "exit code: 1"),
            Reason.BUILD_FAILED,
            "404 Client Error",
        ),
        (
            ["fatal: unable to access 'https://example.org/': Could not resolve host", CLONE],
            Reason.BUILD_FAILED,
            "Could not resolve host",
        ),
        # but what a step clones is the repository's own affair
        (step("fatal: repository 'x' not found", "exit code: 128"), Reason.BUILD_FAILED, "'x'"),
        (
            ["Step 5/6 : RUN git clone x", "fatal: repository 'x' not found", "said more"],
            Reason.BUILD_FAILED,
            "'x'",
        ),
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


def test_the_line_that_is_the_reason_is_quoted():
    full = "dd: error writing '/big': No space left on device"
    lines = step("1+0 records in", "exit code: 1")
    lines[5:6] = [f"0.174 {full}", "0.175 12+0 records in", "0.176 700 MB copied, 2 s"]

    error = explain(lines)

    assert error.reason is Reason.DISK_FULL
    assert error.message.endswith(f"RUN make: {full}")


def test_the_line_that_is_the_reason_is_quoted_where_no_step_is():
    error = explain(["ERROR: write /x: no space left on device", "ERROR: giving up"])

    assert error.message.endswith("write /x: no space left on device")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("no basic auth credentials", Reason.PUSH_DENIED),
        ("denied: requested access to the resource is denied", Reason.PUSH_DENIED),
        ("Get https://registry.example.org/v2/: EOF", Reason.PUSH_FAILED),
    ],
)
def test_what_the_classic_builder_pushes_in_vain(words, reason):
    tail = ["Successfully built 0123456789ab", "Successfully tagged registry.example.org/a:b"]

    assert explain([*tail, words]).reason is reason
    assert explain([tail[1], words]).reason is Reason.BUILD_FAILED
