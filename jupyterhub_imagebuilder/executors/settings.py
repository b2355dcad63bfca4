"""What an admin sets of builds wherever they are carried out."""

from __future__ import annotations

from typing import Any

from traitlets import Dict, Integer, List, Unicode
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.executors import repo2docker
from jupyterhub_imagebuilder.executors.private import LoginOf, Private, private_of


class ExecutorSettings(LoggingConfigurable):
    """Base of the executors: the settings that they share."""

    instance = Unicode(
        "imagebuilder",
        help="Label of what builds, which tells image builders apart that share a namespace or an"
        " engine.",
    ).tag(config=True)
    build_image = Unicode(
        "quay.io/jupyterhub/repo2docker:2026.04.0",
        help="Image of the pod or container that builds: repo2docker 2024.07 or later, with"
        " python3.",
    ).tag(config=True)
    deadline = Integer(7200, min=1, help="Seconds that a build may take.").tag(config=True)
    engine_wait = Integer(
        60, min=0, help="Seconds that a build waits for an engine that does not answer."
    ).tag(config=True)
    pull_grace = Integer(
        60, min=0, help="Seconds that pulling `build_image` may go on failing."
    ).tag(config=True)
    silence = Integer(
        1800, min=0, help="Seconds that a build may go on without a line of log.  0: for ever."
    ).tag(config=True)
    extra_env = Dict(
        Unicode(),
        help="More environment for what builds.  Readable by whoever may inspect pods or"
        " containers.",
    ).tag(config=True)
    repo2docker_extra_args = List(
        Unicode(), help="More arguments for repo2docker, before the repository."
    ).tag(config=True)
    buildx_args = List(
        Unicode(),
        # one manifest instead of an index: what is made is what is looked up and started
        default_value=["--provenance=false"],
        help="Arguments for `docker buildx build` (repo2docker 2025.08 and later).",
    ).tag(config=True)
    platform = Unicode("linux/amd64", help="Platform of the machines that build.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: the logins of private repositories; whoever makes the executor sets it
        self.login_of: LoginOf = lambda _: None

    def private(self, request: BuildRequest) -> Private | None:
        """How the build's repository is fetched, if that takes a login.

        :raises BuildFailed: it does, and the login cannot be read.
        """
        return private_of(request.spec, self.login_of)

    @property
    def build_settings(self) -> dict[str, object]:
        """What changes the image, beside repository and commit: part of a build's key."""
        return {
            "build_image": self.build_image,
            "repo2docker_extra_args": list(self.repo2docker_extra_args),
            "buildx_args": list(self.buildx_args),
            "user": [repo2docker.USER_NAME, repo2docker.USER_ID],
        }
