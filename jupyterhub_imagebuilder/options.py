"""The options of the service, ``c.ImageBuilder.…``, and where their defaults come from."""

from __future__ import annotations

import os
import re
from typing import Any

from traitlets import Bool, Float, HasTraits, Integer, List, TraitError, Unicode, default, validate

from jupyterhub_imagebuilder import process
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES


class Options(HasTraits):
    """What an admin may say of the service; its parts have options of their own."""

    config_file = Unicode(
        help="""
        Path of the configuration file, `.py` or `.json`.

        Default: the environment variable `IMAGEBUILDER_CONFIG_FILE`, else none.
        """
    ).tag(config=True)

    image_prefix = Unicode(
        help="""
        Registry and start of the repository of all images, such as
        `registry.example.org/team/` or `registry.example.org:5000/team/hub-`. Required on
        Kubernetes. With the executor `docker` it may do without a registry: images stay in the
        engine then. A hub whose spawner is not KubeSpawner has `imagebuilder/` as its default.
        """
    ).tag(config=True)

    service_name = Unicode(
        help="""
        Name of the service in JupyterHub.

        Default: the environment variable `JUPYTERHUB_SERVICE_NAME`, else `imagebuilder`.
        """
    ).tag(config=True)

    ip = Unicode(
        help="""
        Address to listen on; empty means all.

        Default: that of the environment variable `JUPYTERHUB_SERVICE_URL`, else `127.0.0.1`.
        """
    ).tag(config=True)

    port = Integer(
        min=0,
        max=65535,
        help="""
        TCP port to listen on.

        Default: that of the environment variable `JUPYTERHUB_SERVICE_URL`, else 8586.
        """,
    ).tag(config=True)

    base_url = Unicode(
        help="""
        Path below which everything is.

        Default: the environment variable `JUPYTERHUB_SERVICE_PREFIX`, else `/`.
        """
    ).tag(config=True)

    state_dir = Unicode(
        "imagebuilder",
        help="""
        Folder for what has to outlive a restart of the hub: the service's token, the
        configuration that the hub hands over, and the history of builds where `database_url` does
        not say otherwise. Relative to the hub's working directory.
        """,
    ).tag(config=True)

    api_tokens_file = Unicode(
        help="""
        Path of a JSON file, `{"<name>": "<token>"}`, with tokens for the API where there is no
        hub, or beside it. Only its owner (and a group that may read) may have access to it. It is
        read again when it changes.
        """
    ).tag(config=True)

    allow_token_in_url = Bool(
        default_value=True,
        help="""
        Whether `GET /build` takes a token from `?token=`, where old clients put it. Proxies log
        addresses, so set it to False when no such client is in use.
        """,
    ).tag(config=True)

    authenticate_metrics = Bool(
        default_value=True,
        help="""
        Whether `GET /metrics` needs a token: of a hub's admin, of a service of the hub that may
        use this one, or of `api_tokens_file`. The metrics name neither users nor repositories.
        """,
    ).tag(config=True)

    executor_class = Unicode(
        "kubernetes",
        help="""
        Where builds are carried out: `kubernetes`, `docker` (one machine), or the import string of
        a class. A hub whose spawner is not KubeSpawner has `docker` as its default.
        """,
    ).tag(config=True)

    provider_classes = List(
        Unicode(),
        default_value=list(PROVIDER_CLASSES),
        help="""
        Import strings of the classes that know repository hosts. The first that takes an address
        gets it; that of any Git repository is asked last.
        """,
    ).tag(config=True)

    allowed_specs = List(
        Unicode(),
        help="""
        Regular expressions, matched from the start and without regard to case against the
        repository's canonical address, such as `https://github.com/org/repo`. When there are any,
        only repositories that match one of them may be built.
        """,
    ).tag(config=True)

    banned_specs = List(
        Unicode(),
        help="Regular expressions as in `allowed_specs`; what matches one may not be built.",
    ).tag(config=True)

    linger = Float(
        60.0,
        min=0.0,
        help="Seconds for which a finished build's pod stays, for others to see its result.",
    ).tag(config=True)

    confirm_timeout = Float(
        30.0,
        min=0.0,
        help="Seconds within which a pushed image has to be readable from the registry.",
    ).tag(config=True)

    max_builds = Integer(
        32,
        min=0,
        help="Builds that run at once; more wait in a queue, fair between users.  0 is any number.",
    ).tag(config=True)

    max_builds_per_user = Integer(
        4, min=0, help="Builds of one user that run at once.  0 is any number."
    ).tag(config=True)

    max_builds_per_repository = Integer(
        0, min=0, help="Builds of one repository that run at once.  0 is any number."
    ).tag(config=True)

    max_waiting = Integer(
        1000,
        min=0,
        help="Builds that wait in the queue; further ones are refused.  0 is any number.",
    ).tag(config=True)

    queue_timeout = Float(
        3600.0, min=0.0, help="Seconds that a build waits for its turn at most."
    ).tag(config=True)

    database_url = Unicode(
        help="""
        Where builds, their owners and their logs are remembered: an address as SQLAlchemy reads
        it, of SQLite or PostgreSQL, such as `postgresql://imagebuilder@db.example.org/hub`, without
        a password. It may be the hub's own database.

        Default: the file `history.sqlite` in `state_dir`.
        """
    ).tag(config=True)

    database_password_file = Unicode(
        help="Path of a file with the password for `database_url`; read again at each connection."
    ).tag(config=True)

    keep_days = Integer(
        90, min=1, help="Days for which a build that is over is remembered, with its log."
    ).tag(config=True)

    keep_builds = Integer(
        10_000, min=1, help="Builds that are remembered at most; the oldest are forgotten first."
    ).tag(config=True)

    @default("config_file")
    def _default_config_file(self) -> str:
        return os.environ.get("IMAGEBUILDER_CONFIG_FILE", "")

    @default("service_name")
    def _default_service_name(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_NAME") or "imagebuilder"

    @default("ip")
    def _default_ip(self) -> str:
        address = process.address_from_hub(os.environ)
        return address[0] if address else "127.0.0.1"

    @default("port")
    def _default_port(self) -> int:
        address = process.address_from_hub(os.environ)
        return address[1] if address else 8586

    @default("base_url")
    def _default_base_url(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")

    @validate("allowed_specs", "banned_specs")
    def _validate_specs(self, proposal: Any) -> list[str]:
        for pattern in proposal.value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise TraitError(
                    f"{pattern!r} in {proposal.trait.name} is no regular expression: {error}"
                ) from error
        patterns: list[str] = proposal.value
        return patterns
