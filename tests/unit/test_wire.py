from __future__ import annotations

import json
import re

import pytest

from jupyterhub_imagebuilder import wire
from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason, SpecForbidden

IMAGE = "registry.example.org/team/x@sha256:1"


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (LogLine("uid", 0, "text"), {"message": "text\n"}),
        (
            LogLine("uid", 0, "text", Phase.BUILDING),
            {"message": "text\n", "phase": "building"},
        ),
        (Gap("lines are lost"), {"message": "lines are lost\n"}),
        (PhaseChanged(Phase.WAITING, "w"), {"phase": "waiting", "message": "w\n"}),
        (PhaseChanged(Phase.PUSHING, "p"), {"phase": "pushing", "message": "p\n"}),
        (
            PhaseChanged(Phase.BUILT, "b", image=IMAGE, digest="sha256:1"),
            {
                "phase": "ready",
                "message": "b\n",
                "imageName": IMAGE,
                "imageDigest": "sha256:1",
            },
        ),
        (
            PhaseChanged(Phase.FAILED, "f", reason=Reason.OUT_OF_MEMORY),
            {"phase": "failed", "message": "f\n", "reason": "out-of-memory"},
        ),
        (
            PhaseChanged(Phase.CANCELLED, "c", reason=Reason.CANCELLED),
            {"phase": "failed", "message": "c\n", "reason": "cancelled"},
        ),
    ],
)
def test_an_event_in_binderhubs_words(event, frame):
    assert wire.to_binderhub(event) == frame


@pytest.mark.parametrize("phase", Phase)
def test_what_ends_a_build_ends_a_client_and_nothing_else_does(phase):
    frame = wire.to_binderhub(PhaseChanged(phase, "m", image=IMAGE, digest="sha256:1"))
    assert (frame["phase"] in ("ready", "failed")) == phase.terminal
    assert ("imageName" in frame) == (phase is Phase.BUILT)
    assert frame["message"].endswith("\n")
    assert json.loads(json.dumps(frame)) == frame


def test_a_refusal():
    assert wire.error_to_binderhub(SpecForbidden("It may not be built here.")) == {
        "phase": "failed",
        "status_code": 403,
        "message": "It may not be built here.\n",
        "reason": "spec-forbidden",
    }
    error = ImageBuilderError("x", Reason.QUOTA)
    assert wire.error_to_binderhub(error)["reason"] == "quota"


@pytest.mark.parametrize(
    ("provider", "spec", "ours"),
    [
        ("gh", "org/repo/main", "org/repo/main"),
        ("gh", "org%2Frepo/main", "org/repo/main"),
        ("gh", "org%2frepo", "org/repo"),
        ("gh", "org/repo/feature%2Fx", "org/repo/feature%2Fx"),
        ("gh", "org/feature%2Fx/main", "org/feature%2Fx/main"),
        ("gh", "https%3A%2F%2Fx%2Fy/main", "https%3A%2F%2Fx%2Fy/main"),
        ("git", "org%2Frepo/main", "org%2Frepo/main"),
        ("gl", "group%2Frepo/main", "group%2Frepo/main"),
        ("gist", "user%2F0123/HEAD", "user/0123/HEAD"),
    ],
)
def test_a_repository_that_was_escaped_as_a_whole(provider, spec, ours):
    assert wire.spec_from_binderhub(provider, spec) == ours


def test_a_provider_in_the_words_of_binderhubs_form():
    assert wire.provider_to_binderhub(
        {"id": "gh", "name": "GitHub", "refs": True, "spec": "org/repo/ref", "examples": []}
    ) == {
        "id": "gh",
        "displayName": "GitHub",
        "spec": {"validateRegex": "[^/]+/[^/]+/.+"},
        "repo": {"label": "GitHub: org/repo", "placeholder": "org/repo", "urlEncode": False},
        "ref": {"enabled": True, "default": "HEAD"},
    }


@pytest.mark.parametrize(
    ("spec", "refs", "good", "bad", "escaped"),
    [
        ("group%2Frepo/ref", True, "group%2Frepo/feature/x", "group%2Frepo", True),
        ("percent-encoded-URL/ref", True, "https%3A%2F%2Fx%2Fy/main", "x/", True),
        ("host/org/repo/ref", True, "codeberg.org/o/r/main", "codeberg.org/o/r", False),
        ("10.5281/zenodo.3242074", False, "10.5281/zenodo.1", "", False),
        ("percent-encoded-URL", False, "https%3A%2F%2Fx", "", True),
    ],
)
def test_the_spec_that_such_a_form_makes(spec, refs, good, bad, escaped):
    provider = {"id": "x", "name": "X", "refs": refs, "spec": spec, "examples": []}
    document = wire.provider_to_binderhub(provider)
    form = document["spec"]["validateRegex"]
    assert re.fullmatch(form, good)
    assert not re.fullmatch(form, bad)
    assert document["repo"]["urlEncode"] is escaped
    assert document["ref"]["enabled"] is refs


def test_versions_say_what_answers():
    assert wire.versions_to_binderhub({"imagebuilder": "1", "builder": "x"}) == {
        "binderhub": "jupyterhub-imagebuilder 1",
        "imagebuilder": "1",
        "builder": "x",
    }
