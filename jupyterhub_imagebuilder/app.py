"""The application: its settings, where they come from, and what it is as a process."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from traitlets import Bool, Float, Integer, List, TraitError, Unicode, default, validate
from traitlets.config import Application, Config

from jupyterhub_imagebuilder import __version__, configuration, process
from jupyterhub_imagebuilder.assembly import REGISTRY_CLASS, Plan, StorePlan
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import ImageBuilderError, ServiceUnavailable
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES
from jupyterhub_imagebuilder.server import Service
from jupyterhub_imagebuilder.web.auth import Authenticator, TokenFile
from jupyterhub_imagebuilder.web.cors import CrossOrigin
from jupyterhub_imagebuilder.web.hub_auth import Hub

log = logging.getLogger(__name__)


class ImageBuilder(Application):
    """Builds images from repositories and answers for them over HTTP."""

    name = "jupyterhub-imagebuilder"
    version = __version__
    description = "The service that builds images; `build --help` is the command that asks it to."
    aliases: ClassVar[dict[Any, str]] = {
        ("f", "config"): "ImageBuilder.config_file",
        "ip": "ImageBuilder.ip",
        "port": "ImageBuilder.port",
        "log-level": "ImageBuilder.log_level",
    }
    flags: ClassVar[dict[Any, Any]] = {
        "debug": ({"ImageBuilder": {"log_level": logging.DEBUG}}, "Log everything."),
    }

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

    @default("log_level")
    def _default_log_level(self) -> int:
        return logging.INFO

    @default("log_format")
    def _default_log_format(self) -> str:
        return "[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s] %(message)s"

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

    def get_default_logging_config(self) -> dict[str, Any]:
        """Logging as traitlets has it, for our own modules and tornado's."""
        config: dict[str, Any] = super().get_default_logging_config()
        for logger in ("jupyterhub_imagebuilder", "tornado", "asyncio"):
            level = "DEBUG" if logger == "jupyterhub_imagebuilder" else "INFO"
            config["loggers"][logger] = {"level": level, "handlers": ["console"]}
        return config

    def emit_help(self, classes: bool = False) -> Iterator[str]:  # noqa: FBT001, FBT002
        """The text of ``--help`` and, with the adapters' settings, of ``--help-all``."""
        if classes:
            executor = configuration.imported_executor(self.executor_class)
            adapters = [*self.provider_classes, REGISTRY_CLASS]
            imported = [configuration.imported(name, "ImageBuilder") for name in adapters]
            self.classes = [type(self), CrossOrigin, executor, *imported]
        yield from super().emit_help(classes)

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the configuration.

        :raises ConfigurationError: it cannot be meant.
        """
        self.parse_command_line(argv)
        file_config = Config()
        if self.config_file:
            file_config = configuration.load(Path(self.config_file))
        file_config.merge(self.cli_config)
        configuration.check(file_config, [ImageBuilder, CrossOrigin], complete=False)
        try:
            self.update_config(file_config)
        except TraitError as error:
            raise ConfigurationError(f"A setting is wrong: {error}") from error

    def plan(self) -> Plan:
        """What the admin chose.

        :raises ConfigurationError: something is missing.
        """
        if not self.image_prefix:
            raise ConfigurationError(
                "Set c.ImageBuilder.image_prefix, such as registry.example.org/team/, to say "
                "where images are kept."
            )
        return Plan(
            image_prefix=self.image_prefix,
            executor_class=self.executor_class,
            provider_classes=tuple(self.provider_classes),
            policy=SpecPolicy(tuple(self.allowed_specs), tuple(self.banned_specs)),
            linger=self.linger,
            limits=QueueLimits(
                running=self.max_builds,
                per_user=self.max_builds_per_user,
                per_repository=self.max_builds_per_repository,
                waiting=self.max_waiting,
            ),
            patience=Patience(confirm=self.confirm_timeout, queue=self.queue_timeout),
            store=self._store_plan(),
        )

    def verify(self) -> None:
        """Return if the service can start with what the admin wrote.

        :raises ConfigurationError: it cannot.
        """
        self.plan()
        if tokens := self._tokens():
            try:
                tokens.refresh()
            except ServiceUnavailable as error:
                raise ConfigurationError(error.message) from error

    def authenticator(self) -> Authenticator:
        """Who may talk to the service, from settings and ``JUPYTERHUB_*`` variables."""
        return Authenticator(
            own_token=os.environ.get("JUPYTERHUB_API_TOKEN", ""),
            own_name=self.service_name,
            tokens=self._tokens(),
            hub=Hub(self.service_name) if os.environ.get("JUPYTERHUB_API_URL") else None,
        )

    @property
    def prefix(self) -> str:
        """The base URL with a slash at both ends."""
        inner = self.base_url.strip("/")
        return f"/{inner}/" if inner else "/"

    @property
    def managed(self) -> bool:
        """Whether a hub started this process and answers for it."""
        return bool(os.environ.get("JUPYTERHUB_SERVICE_NAME"))

    def _store_plan(self) -> StorePlan:
        folder = Path(self.state_dir).absolute()
        password = Path(self.database_password_file) if self.database_password_file else None
        return StorePlan(
            url=self.database_url,
            password_file=password,
            folder=folder,
            days=self.keep_days,
            builds=self.keep_builds,
        )

    def _tokens(self) -> TokenFile | None:
        return TokenFile(Path(self.api_tokens_file)) if self.api_tokens_file else None


def main(argv: list[str] | None = None) -> None:
    """Run the service as a process, and end it."""
    # an ignored SIGINT, inherited from the hub, would be lost until the loop has its own handler
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = _run(ImageBuilder.instance(), argv)
    except ImageBuilderError as error:
        log.critical("%s", error.message)
        code = 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _run(app: ImageBuilder, argv: list[str] | None) -> int:
    mistake = None
    try:
        app.initialize(argv)
        app.verify()
    except ConfigurationError as error:
        if not app.managed:
            raise
        mistake = error
    return asyncio.run(_serve(app, mistake))


async def _serve(app: ImageBuilder, mistake: ConfigurationError | None) -> int:
    return await Service(app, mistake).run()
