"""The application: what the admin chose, and what it is as a process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from traitlets import TraitError, default
from traitlets.config import Application, Config

from jupyterhub_imagebuilder import __version__, configuration
from jupyterhub_imagebuilder.access import Access, access
from jupyterhub_imagebuilder.assembly import REGISTRY_CLASS, Plan, StorePlan
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import ImageBuilderError, ServiceUnavailable
from jupyterhub_imagebuilder.options import Options
from jupyterhub_imagebuilder.server import Service
from jupyterhub_imagebuilder.web.auth import TokenFile
from jupyterhub_imagebuilder.web.cors import CrossOrigin

log = logging.getLogger(__name__)


class ImageBuilder(Options, Application):
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

    @default("log_level")
    def _default_log_level(self) -> int:
        return logging.INFO

    @default("log_format")
    def _default_log_format(self) -> str:
        return "[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s] %(message)s"

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

    def access(self) -> Access:
        """Who may talk to the service, from settings and ``JUPYTERHUB_*`` variables."""
        return access(
            os.environ,
            service_name=self.service_name,
            prefix=self.prefix,
            tokens=self._tokens(),
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
