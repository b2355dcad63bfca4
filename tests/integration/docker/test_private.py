"""A service of its own, configured as an admin does it, builds a private repository."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import sys

import aiohttp
import docker
import pytest

from jupyterhub_imagebuilder.executors.docker import container
from tests.contract.executors.private_git import LOGIN, TOKEN, PrivateHost, dockerfile, repository

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]

CONFIG = """\
c.ImageBuilder.image_prefix = "{prefix}"
c.ImageBuilder.port = {port}
c.ImageBuilder.api_tokens_file = "{folder}/tokens.json"
c.ImageBuilder.state_dir = "{folder}/state"
c.ImageBuilder.executor_class = "jupyterhub_imagebuilder.executors.docker.executor.DockerExecutor"
c.DockerExecutor.build_image = "{build_image}"
c.DockerExecutor.instance = "{instance}"
c.DockerExecutor.tidy = False
c.HostProvider.allowed_networks = ["{ip}"]
c.GiteaProvider.hosts = ["{host}"]
c.GiteaProvider.ca_file = "{ca}"
c.GiteaProvider.access_token_file = "{token}"
c.GiteaProvider.private_repositories = [r"https://{host}/team/.*"]
"""


@contextlib.asynccontextmanager
async def service(folder, **values):
    config = folder / "config.py"
    config.write_text(CONFIG.format(folder=folder, **values))
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({"ci": "c" * 64}))
    tokens.chmod(0o600)
    with (folder / "service.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jupyterhub_imagebuilder", "-f", str(config)),
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{values['port']}"
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def events(base, path):
    """What a build says, to its end; the service may have to start first."""
    headers = {"Authorization": f"Bearer {'c' * 64}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(100):
            with contextlib.suppress(aiohttp.ClientConnectionError):
                answer = await session.get(f"{base}/health")
                if answer.status == 200:
                    break
            await asyncio.sleep(0.2)
        async with session.get(f"{base}/build/{path}?build_only=true") as answer:
            text = await answer.text()
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def clean_up(instance):
    """Remove what a service has built; how many images."""
    with contextlib.closing(docker.APIClient(os.environ["DOCKER_HOST"], version="auto")) as client:
        filters = {"label": f"{container.INSTANCE}={instance}"}
        for found in client.containers(all=True, filters=filters):
            client.remove_container(found["Id"], force=True, v=True)
        images = client.images(filters=filters)
        for image in images:
            client.remove_image(image["Id"], force=True)
    return len(images)


async def test_a_private_repository_is_built_and_nobody_is_told_the_token(
    tmp_path, unused_tcp_port
):
    ip, name = os.environ["IB_NODE_ADDRESS"], f"t-{secrets.token_hex(4)}"
    async with PrivateHost(tmp_path).running(ip) as host:
        repository(host.base / "team" / "one", {"Dockerfile": dockerfile("COPY . /src")})
        values = {
            "prefix": f"{name}/",
            "instance": name,
            "port": unused_tcp_port,
            "build_image": f"{os.environ['IB_OPEN_REGISTRY']}/repo2docker:1",
            "ip": ip,
            "host": host.address,
            "ca": host.ca,
            "token": host.token_file,
        }
        async with service(tmp_path, **values) as base:
            said = await events(base, f"gitea/{host.address}/team/one/main")

    assert said[-1]["phase"] == "ready", said
    assert clean_up(name) == 1
    written = b"".join(
        path.read_bytes()
        for path in [tmp_path / "service.log", *(tmp_path / "state").rglob("*")]
        if path.is_file()
    )
    assert b"Build" in written or b"build" in written
    for secret in (TOKEN, base64.b64encode(LOGIN.encode()).decode()):
        assert secret not in json.dumps(said)
        assert secret.encode() not in written
