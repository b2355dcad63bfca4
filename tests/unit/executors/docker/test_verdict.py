from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.docker import verdict

SAID = ["a line", "The engine says no."]


def ending(code, *, status="exited", oom=False, engine_left=False, lines=SAID):
    state = {"Status": status, "ExitCode": code, "OOMKilled": oom}
    return verdict.ending({"State": state}, lines, pushing=False, engine_left=engine_left)


def test_a_build_that_went_through_has_no_reason():
    assert ending(0) is None
    # a child was killed for memory, and the build went on without it
    assert ending(0, oom=True) is None


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"code": 137, "oom": True}, Reason.OUT_OF_MEMORY),
        ({"code": 1, "oom": True}, Reason.OUT_OF_MEMORY),
        ({"code": 137}, Reason.EXECUTOR_LOST),
        ({"code": 143}, Reason.EXECUTOR_LOST),
        ({"code": 137, "engine_left": True}, Reason.ENGINE_UNAVAILABLE),
        ({"code": 255}, Reason.ENGINE_UNAVAILABLE),
        ({"code": 69}, Reason.ENGINE_UNAVAILABLE),
        ({"code": 124}, Reason.TIMEOUT),
        ({"code": 1}, Reason.BUILD_FAILED),
        ({"code": 1, "engine_left": True}, Reason.BUILD_FAILED),
        ({"code": 0, "status": "removing"}, Reason.EXECUTOR_LOST),
    ],
)
def test_each_end_has_its_reason(end, reason):
    assert ending(**end).reason is reason


def test_an_engine_that_does_not_answer_is_quoted():
    assert "The engine says no." in ending(69).message
    assert "does not answer" in ending(69, lines=[]).message


def test_words_of_others_are_cut():
    assert len(verdict.not_pulled("word " * 1000).message) < 500
