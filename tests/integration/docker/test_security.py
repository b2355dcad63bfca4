"""What the author of a repository cannot reach."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.builds.ports import Ended
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.docker import container
from tests.contract.executors.engine import DockerHarness, credentials

from .conftest import GIT
from .test_faults import observe, reason, texts

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(120)]


@pytest.fixture
def linked(repository):
    """Make a repository with links in it; its name on the git server."""

    def make(**links: str) -> str:
        name = repository("echo done")
        folder = Path(os.environ["IB_GIT_DIR"], name)
        for path, target in links.items():
            (folder / path).symlink_to(target)
        for words in (("add", "-A"), ("commit", "-qm", "links")):
            subprocess.run([*GIT, *words], cwd=folder, check=True)
        return name

    return make


@pytest.mark.parametrize("target", [container.CREDENTIALS, "/proc/self/environ"])
async def test_a_link_shows_nothing_of_the_container_that_builds(engine, linked, tmp_path, target):
    file = credentials(tmp_path)
    secret = file.read_text()
    harness = DockerHarness(host=engine.host, push_config_file=str(file))
    async with harness.running():
        claim = await harness.executor.claim(harness.request(linked(link=target)))
        said = await observe(harness.executor, claim)

    assert reason(said) is Reason.BUILD_FAILED
    assert "'link' is a link to a file outside of the repository" in said[-1].error.message
    for shown in (texts(said), said[-1].error.message):
        assert secret not in shown
        assert "DOCKER_CONFIG" not in shown


async def test_links_of_other_kinds_do_no_harm(harness, linked):
    name = linked(program="/usr/bin/env", inside="Dockerfile", nowhere="/data/of/mine")

    claim = await harness.executor.claim(harness.request(name))

    assert (await observe(harness.executor, claim))[-1] == Ended(None)


async def test_a_step_has_neither_socket_nor_credentials(engine, repository, tmp_path):
    harness = DockerHarness(host=engine.host, push_config_file=str(credentials(tmp_path)))
    step = "env; ls -la / /run /var/run; test ! -e /imagebuilder && echo nothing-here"
    async with harness.running():
        claim = await harness.executor.claim(harness.request(repository(step)))
        said = await observe(harness.executor, claim)

    assert said[-1] == Ended(None)
    assert "nothing-here" in texts(said)
    assert "docker.sock" not in texts(said)
    assert "DOCKER_" not in texts(said)


async def test_a_step_does_not_get_the_network_of_the_machine(harness, engine, repository):
    claim = await harness.executor.claim(
        harness.request(repository("--network=host cat /proc/net/dev"))
    )

    said = await observe(harness.executor, claim)

    assert reason(said) is Reason.BUILD_FAILED
    assert engine.name not in texts(said)


async def test_a_server_with_the_labels_of_a_build_is_left_alone(harness, engine, repository):
    request = harness.request(repository("sleep 3; echo done"))
    claim = await harness.executor.claim(request)
    await harness.executor._launches[claim.uid].done.wait()
    with contextlib.closing(engine.client()) as client:
        (found,) = client.containers(all=True, filters={"label": f"{container.UID}={claim.uid}"})
        body = {
            "Image": f"{os.environ['IB_OPEN_REGISTRY']}/base:1",
            "Cmd": ["sh", "-c", "echo forged; sleep 60"],
            "Labels": found["Labels"],
            "Volumes": {"/var/run/docker.sock": {}},
        }
        client.pull(body["Image"])
        server = client.create_container_from_config(body, f"jupyter-{harness.instance}")["Id"]
        client.start(server)
        try:
            assert await harness.executor.found() == [claim_as_found(claim)]
            said = await observe(harness.new_executor(), claim)
            assert said[-1] == Ended(None)
            assert "forged" not in texts(said)
            await harness.executor.remove(claim)
            assert client.inspect_container(server)["State"]["Running"]
        finally:
            client.remove_container(server, force=True, v=True)


def claim_as_found(claim):
    return type(claim)(claim.request, claim.uid, container.ClaimState.RUNNING)
