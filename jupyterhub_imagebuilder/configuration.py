"""Reads a configuration file and finds what cannot be meant: a sentence instead of a traceback."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from traitlets.config import Config, Configurable, JSONFileConfigLoader, PyFileConfigLoader

from jupyterhub_imagebuilder.errors import ImageBuilderError

#: Sections of ours that may be there although their part is not in use.
SECTIONS = frozenset(
    {
        "ImageBuilder",
        "KubernetesExecutor",
        "DockerExecutor",
        "GitProvider",
        "GitHubProvider",
        "DistributionRegistry",
    }
)

#: Short names for `c.ImageBuilder.executor_class`.
_EXECUTORS = {
    "docker": "jupyterhub_imagebuilder.executors.docker.executor.DockerExecutor",
    "kubernetes": "jupyterhub_imagebuilder.executors.kubernetes.executor.KubernetesExecutor",
}
_EXECUTOR = "KubernetesExecutor"
#: Options that BinderHub's admins know, and ours.  Empty: nothing has to be set here.
_BINDERHUB = {
    "BinderHub.image_prefix": "ImageBuilder.image_prefix",
    "BinderHub.port": "ImageBuilder.port",
    "BinderHub.base_url": "ImageBuilder.base_url",
    "BinderHub.banned_specs": "ImageBuilder.banned_specs",
    "BinderHub.repo_providers": "ImageBuilder.provider_classes",
    "BinderHub.concurrent_build_limit": "ImageBuilder.max_builds",
    "BinderHub.per_repo_quota": "ImageBuilder.max_builds_per_repository",
    "BinderHub.build_class": "ImageBuilder.executor_class",
    "BinderHub.build_image": f"{_EXECUTOR}.build_image",
    "BinderHub.build_namespace": f"{_EXECUTOR}.namespace",
    "BinderHub.push_secret": f"{_EXECUTOR}.push_secret",
    "BuildExecutor.push_secret": f"{_EXECUTOR}.push_secret",
    "BuildExecutor.repo2docker_extra_args": f"{_EXECUTOR}.repo2docker_extra_args",
    "KubernetesBuildExecutor.namespace": f"{_EXECUTOR}.namespace",
    "KubernetesBuildExecutor.build_image": f"{_EXECUTOR}.build_image",
    "KubernetesBuildExecutor.push_secret": f"{_EXECUTOR}.push_secret",
    "KubernetesBuildExecutor.docker_host": f"{_EXECUTOR}.engine_socket_dir",
    "KubernetesBuildExecutor.node_selector": f"{_EXECUTOR}.node_selector",
    "KubernetesBuildExecutor.image_pull_secrets": f"{_EXECUTOR}.image_pull_secrets",
    "KubernetesBuildExecutor.resources": f"{_EXECUTOR}.resources",
    "KubernetesBuildExecutor.repo2docker_extra_args": f"{_EXECUTOR}.repo2docker_extra_args",
    "GitHubRepoProvider.access_token": "GitHubProvider.access_token_file",
    "GitHubRepoProvider.banned_specs": "ImageBuilder.banned_specs",
    "RepoProvider.banned_specs": "ImageBuilder.banned_specs",
    "DockerRegistry.url": "ImageBuilder.image_prefix",
    "DockerRegistry.username": "DistributionRegistry.credentials_file",
    "DockerRegistry.password": "DistributionRegistry.credentials_file",
    "BinderHub.enable_api_only_mode": "",
    "BinderHub.auth_enabled": "",
    "BinderHub.hub_url": "",
    "BinderHub.hub_api_token": "",
    "BinderHub.use_registry": "",
}
_BINDERHUB_SECTIONS = frozenset(name.partition(".")[0] for name in _BINDERHUB)


class ConfigurationError(ImageBuilderError):
    """What the admin wrote cannot be meant; the message says what and where."""


def load(path: Path) -> Config:
    """Read a configuration file, Python (``c.Section.option = …``) or JSON.

    :raises ConfigurationError: it cannot be read, or fails.
    """
    loaders = {".py": PyFileConfigLoader, ".json": JSONFileConfigLoader}
    loader = loaders.get(path.suffix)
    if loader is None:
        raise ConfigurationError(f"The configuration file {path} has to end in .py or .json.")
    if not path.is_file():
        raise ConfigurationError(f"There is no configuration file {path}.")
    try:
        return loader(path.name, path=str(path.parent.absolute())).load_config()
    # the file is a program: anything may happen in it
    except Exception as error:
        raise ConfigurationError(
            f"The configuration file {path} fails{_line(error, path)}: "
            f"{type(error).__name__}: {error}"
        ) from error


def check(config: Config, classes: Iterable[type[Configurable]], *, complete: bool) -> None:
    """Return if every option belongs to something.

    :param classes: whose options are known.
    :param complete: whether a section of none of them is a mistake.
    :raises ConfigurationError: for the first option that belongs to nothing.
    """
    options: dict[str, set[str]] = {}
    for cls in classes:
        for section in cls.section_names():
            options.setdefault(section, set()).update(cls.class_trait_names(config=True))
    for section, values in config.items():
        if not isinstance(values, Config):
            raise ConfigurationError(
                f"The option c.{section} belongs to no section; it could be "
                f"c.ImageBuilder.{section}."
            )
        if section in options:
            _check_options(section, values, options[section])
        elif values and section in _BINDERHUB_SECTIONS:
            raise ConfigurationError(_translated(section, next(iter(values))))
        elif complete and values and section not in SECTIONS:
            guess = _guess(section, {*options, *SECTIONS})
            raise ConfigurationError(f"There is no section c.{section}{guess}.")


def imported(name: str, option: str) -> Any:
    """What an import string names.

    :param name: ``package.module.Name`` or ``package.module:Name``.
    :param option: where it was configured.
    :raises ConfigurationError: there is nothing of that name.
    """
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    # a module that is imported is a program, too
    except Exception as error:
        raise ConfigurationError(
            f"{option} names {name}, which cannot be imported: {error or type(error).__name__}."
        ) from error


def imported_executor(name: str) -> Any:
    """The executor of that short name or import string.

    :raises ConfigurationError: there is none.
    """
    return imported(_EXECUTORS.get(name, name), "c.ImageBuilder.executor_class")


def _check_options(section: str, values: Config, known: Collection[str]) -> None:
    for option in values:
        # a capital begins a nested section, which traitlets reads by itself
        if option not in known and not option[0].isupper():
            raise ConfigurationError(
                f"There is no option c.{section}.{option}{_guess(option, known)}."
            )


def _guess(name: str, known: Collection[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}" if matches else ""


def _translated(section: str, option: str) -> str:
    ours = _BINDERHUB.get(f"{section}.{option}")
    start = f"c.{section}.{option} is an option of BinderHub"
    if ours:
        return f"{start}; here it is c.{ours}."
    if ours == "":
        return f"{start}; nothing has to be set for it here, so remove it."
    return f"{start} that has no counterpart here; remove it."


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f" in line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).name == path.name]
    return f" in line {lines[-1]}" if lines else ""
