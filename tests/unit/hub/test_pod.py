from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.errors import ImageBuilderError
from jupyterhub_imagebuilder.hub.pod import cannot_run, pull_fails
from jupyterhub_imagebuilder.hub.starting import watch_pod

IMAGE = "registry.test/a@sha256:1"


def pod(state=None, last=None, image=IMAGE):
    return {
        "spec": {"containers": [{"name": "notebook", "image": image}, {"name": "x", "image": "y"}]},
        "status": {
            "containerStatuses": [
                {"name": "x", "state": {"terminated": {"exitCode": 127}}},
                {"name": "notebook", "state": state or {}, "lastState": last or {}},
            ]
        },
    }


NOT_FOUND = 'exec: "jupyterhub-singleuser": executable file not found in $PATH'


@pytest.mark.parametrize(
    "found",
    [
        pod({"terminated": {"reason": "StartError", "exitCode": 128, "message": NOT_FOUND}}),
        pod({"waiting": {"reason": "RunContainerError", "message": NOT_FOUND}}),
        pod({"waiting": {"reason": "CreateContainerError", "message": NOT_FOUND}}),
        pod({"terminated": {"reason": "ContainerCannotRun", "exitCode": 127, "message": ""}}),
        pod({"terminated": {"reason": "Error", "exitCode": 127}}),
        pod(
            {"waiting": {"reason": "CrashLoopBackOff"}},
            {
                "terminated": {
                    "reason": "Error",
                    "exitCode": 1,
                    "message": "FileNotFoundError: [Errno 2] No such file or directory: "
                    "'jupyterhub-singleuser'",
                }
            },
        ),
    ],
)
def test_an_image_without_the_servers_program(found):
    error = cannot_run(found, IMAGE)
    assert error.reason == "image-unusable"
    assert "jupyterhub-singleuser) is missing" in error.message


def test_an_image_that_cannot_start_for_another_reason():
    message = "failed to create containerd task: permission denied"
    error = cannot_run(pod({"terminated": {"reason": "StartError", "message": message}}), IMAGE)
    assert error.reason == "image-unusable"
    assert message in error.message


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"status": {}},
        pod(),
        pod({"running": {"startedAt": "now"}}),
        pod({"waiting": {"reason": "ContainerCreating"}}),
        pod({"terminated": {"reason": "Error", "exitCode": 1, "message": "a bug"}}),
        # the pod of the start before
        pod({"terminated": {"reason": "Error", "exitCode": 127}}, image="another"),
    ],
)
def test_nothing_to_say(found):
    assert cannot_run(found, IMAGE) is None
    assert pull_fails(found, IMAGE) is None


def test_an_image_that_cannot_be_pulled():
    error = pull_fails(pod({"waiting": {"reason": "ImagePullBackOff"}}), IMAGE)
    assert error.reason == "image-pull"


async def test_watching_ends_with_the_sentence():
    found = pod({"terminated": {"reason": "Error", "exitCode": 127}})
    with pytest.raises(ImageBuilderError, match="missing"):
        await watch_pod(lambda: found, lambda: IMAGE, 60)
    with pytest.raises(ImageBuilderError, match="cannot pull"):
        await watch_pod(lambda: pod({"waiting": {"reason": "ErrImagePull"}}), lambda: IMAGE, 0)
