"""repo2docker 2024.07, the oldest that is supported: the classic builder, and a push of its own."""

from __future__ import annotations

import contextlib
import io
import os

import docker
import pytest

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Ended, Pushed
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.docker import container
from tests.contract.executors.engine import DockerHarness, credentials
from tests.contract.executors.harness import WHY

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(300)]

NAME = "imagebuilder-test/repo2docker:2024.7.0"


@pytest.fixture(scope="module")
def old_image():
    dockerfile = (
        f"FROM {os.environ['IB_OPEN_REGISTRY']}/repo2docker:1\n"
        "RUN pip install --no-cache-dir jupyter-repo2docker==2024.7.0 'setuptools<80'"
        " && rm -rf /usr/local/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins\n"
    )
    with contextlib.closing(docker.APIClient(os.environ["DOCKER_HOST"], version="auto")) as client:
        for item in client.build(
            fileobj=io.BytesIO(dockerfile.encode()), tag=NAME, rm=True, decode=True
        ):
            assert "error" not in item, item
        yield NAME
        client.remove_image(NAME, force=True)


@pytest.mark.parametrize("pushed", [False, True])
async def test_it_builds(old_image, tmp_path, pushed):
    settings = {"push_config_file": str(credentials(tmp_path))} if pushed else {}
    registry = os.environ["IB_REGISTRY"] if pushed else ""
    harness = DockerHarness(registry=registry, build_image=old_image, **settings)
    async with harness.running():
        request = harness.request("hello")
        claim = await harness.executor.claim(request)
        said = [item async for item in harness.executor.follow(claim)]

        assert said[-1] == Ended(None), said[-30:]
        phases = list(
            dict.fromkeys(x.phase for x in said if isinstance(x, LogLine) and x.phase is not None)
        )
        expected = [Phase.FETCHING, Phase.BUILDING, Phase.PUSHING]
        assert phases == (expected if pushed else expected[:2])
        assert any(isinstance(item, Pushed) for item in said) is pushed
        assert await harness.executor.images.digest(request.image)
        with contextlib.closing(harness.client()) as client:
            labels = client.inspect_image(str(request.image))["Config"]["Labels"]
        assert labels[container.INSTANCE] == harness.instance
        assert labels[container.IMAGE] == str(request.image)


async def test_a_failure_says_why(old_image):
    harness = DockerHarness(build_image=old_image)
    async with harness.running():
        claim = await harness.executor.claim(harness.request("broken"))
        said = [item async for item in harness.executor.follow(claim)]

    assert said[-1].error.reason is Reason.BUILD_FAILED
    assert any(WHY in item.text for item in said if isinstance(item, LogLine))
    assert "non-zero" in said[-1].error.message or WHY in said[-1].error.message


async def test_a_push_that_is_refused_says_so(old_image):
    harness = DockerHarness(registry=os.environ["IB_REGISTRY"], build_image=old_image)
    async with harness.running():
        claim = await harness.executor.claim(harness.request("hello"))
        said = [item async for item in harness.executor.follow(claim)]

    texts = [item.text for item in said if isinstance(item, LogLine)]
    assert said[-1].error.reason is Reason.PUSH_DENIED, (said[-1], texts[-8:])
