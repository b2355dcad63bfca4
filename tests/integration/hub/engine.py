"""What a hub's configuration says in tests that start containers, and what they look at."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass

import docker
from docker.utils import kwargs_from_env

CONFIG = """
import os, sys
c.JupyterHub.spawner_class = {spawner_class!r}
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = {hub_address!r}
c.DockerSpawner.prefix = {prefix!r}
c.DockerSpawner.args = ["--allow-root"]
c.ImageBuilderSpawner.progress_interval = 0.2
c.ImageBuilder.image_prefix = {image_prefix!r}
c.Spawner.http_timeout = 60
setup_ui(c)
entry = c.JupyterHub.services[-1]
class StandIn(type(entry)):
    def __deepcopy__(self, memo):
        module = "tests.integration.hub.engine_service"
        command = [sys.executable, "-m", module, {images!r}]
        return {{**super().__deepcopy__(memo), "command": command}}
entry.__class__ = StandIn
"""


@dataclass(frozen=True)
class Image:
    """One image of the engine under all its names."""

    tag: str  #: as it was pushed
    id: str
    repository_digest: str  #: ``repository@sha256:…``, what its registry knows it by

    @property
    def digest(self):
        return self.repository_digest.partition("@")[2]


class Engine:
    """The engine at ``DOCKER_HOST``; containers and tags of one test module are removed again."""

    def __init__(self, prefix):
        self.client = docker.APIClient(version="auto", **kwargs_from_env())
        self.prefix = prefix
        self.registry = os.environ["IB_OPEN_REGISTRY"]
        self.tags = []

    def image(self, name):
        tag = f"{self.registry}/{name}"
        try:
            found = self.client.inspect_image(tag)
        except docker.errors.NotFound:
            self.client.pull(*tag.rsplit(":", 1))
            found = self.client.inspect_image(tag)
        digest = next(each for each in found["RepoDigests"] if each.startswith(self.registry))
        return Image(tag, found["Id"], digest)

    def add_image(self, base, *tags):
        """An image of this test's own, with a server in it; gives its id."""
        lines = f"FROM {base}\nLABEL test={self.prefix} name={tags[0]}\n"
        for tag in tags:
            said = self.client.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True)
            assert "Successfully tagged" in b"".join(said).decode()
            self.tags.append(tag)
        return self.client.inspect_image(tags[0])["Id"]

    def move_to_registry(self, tag, login=None):
        """Push an image and forget it; gives ``repository@sha256:…``."""
        repository, _, version = tag.rpartition(":")
        said = list(
            self.client.push(repository, version, stream=True, decode=True, auth_config=login)
        )
        assert not [each for each in said if "error" in each], said
        (name,) = self.client.inspect_image(tag)["RepoDigests"]
        self.client.remove_image(tag)
        self.tags.remove(tag)
        return name

    def container(self, user):
        try:
            return self.client.inspect_container(f"{self.prefix}-{user}")
        except docker.errors.NotFound:
            return None

    def environment(self, user):
        return dict(each.split("=", 1) for each in self.container(user)["Config"]["Env"])

    def containers(self):
        """The names of all containers of this module's users."""
        names = [name for each in self.client.containers(all=True) for name in each["Names"]]
        return [name[1:] for name in names if name.startswith(f"/{self.prefix}-")]

    def clean_containers(self, user=""):
        for name in self.containers():
            if user in name:
                self.client.remove_container(name, force=True, v=True)

    def clean(self):
        self.clean_containers()
        for tag in self.tags:
            self.client.remove_image(tag)
        # what was moved to a registry, and pulled from it
        for each in self.client.images(filters={"label": f"test={self.prefix}"}):
            self.client.remove_image(each["Id"], force=True)
        self.client.close()

    def config(self, images, *, spawner_class="docker", image_prefix="imagebuilder/", more=""):
        """The configuration of a hub.

        :param images: what builds come to: part of the repository's address to image and digest.
        """
        text = CONFIG.format(
            spawner_class=spawner_class,
            hub_address=os.environ["IB_NODE_ADDRESS"],
            prefix=self.prefix,
            image_prefix=image_prefix,
            images=json.dumps(images),
        )
        return text + more
