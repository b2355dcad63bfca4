"""The Docker executor on a real engine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import uuid
from pathlib import Path

import docker

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.ports import Claim
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.executor import DockerExecutor
from tests.unit.executors.requests import make_request


def credentials(folder: Path) -> Path:
    """Docker's ``config.json`` for the registry that wants a login."""
    user = f"{os.environ['IB_REGISTRY_USERNAME']}:{os.environ['IB_REGISTRY_PASSWORD']}"
    auth = base64.b64encode(user.encode()).decode()
    path = folder / "config.json"
    path.write_text(json.dumps({"auths": {os.environ["IB_REGISTRY"]: {"auth": auth}}}))
    path.chmod(0o600)
    return path


class DockerHarness:
    """An executor with a label of its own, and what it leaves, which goes at the end.

    :param registry: where images are pushed; empty leaves them in the engine.
    :param host: of the engine; empty is the shared one, at DOCKER_HOST.
    """

    def __init__(self, *, registry: str = "", host: str = "", **settings) -> None:
        self.instance = f"test-{uuid.uuid4().hex[:8]}"
        self.registry = registry
        self.host = host or os.environ["DOCKER_HOST"]
        self.settings = {
            "build_image": f"{os.environ['IB_OPEN_REGISTRY']}/repo2docker:1",
            # "slow" is to be slow each time, whatever the engine remembers
            "buildx_args": ["--provenance=false", "--no-cache"],
            "tidy": False,
            **settings,
        }
        self.executor = self.new_executor()

    def new_executor(self, **settings) -> DockerExecutor:
        """Another one, as of a service that was started again."""
        return DockerExecutor(
            clock=SystemClock(),
            instance=self.instance,
            **{"docker_host": self.host, **self.settings, **settings},
        )

    @property
    def pushes(self) -> bool:
        return bool(self.registry)

    def client(self) -> docker.APIClient:
        return docker.APIClient(self.host, version="auto")

    @contextlib.asynccontextmanager
    async def running(self):
        await self.executor.start()
        try:
            yield self
        finally:
            for claim in await self.executor.found():
                await self.executor.remove(claim)
            await self.executor.close()
            self.clear()

    def clear(self) -> None:
        """Remove images and containers of this harness."""
        with contextlib.closing(self.client()) as client:
            filters = {"label": f"{container.INSTANCE}={self.instance}"}
            for found in client.containers(all=True, filters=filters):
                client.remove_container(found["Id"], force=True, v=True)
            for image in client.images(filters=filters):
                with contextlib.suppress(docker.errors.APIError):
                    client.remove_image(image["Id"], force=True)

    def request(self, repository: str) -> BuildRequest:
        url = f"{os.environ['IB_GIT']}/{repository}"
        refs = subprocess.run(
            ["git", "ls-remote", url, "HEAD"], capture_output=True, text=True, check=True
        )
        return make_request(
            url,
            commit=refs.stdout.split()[0],
            registry=self.registry,
            salt=uuid.uuid4().hex,
        )

    async def play(self, claim: Claim) -> None:
        """A real build plays itself."""
