"""Reads a configuration file and finds what cannot be meant: a sentence instead of a traceback."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from traitlets.config import Config, Configurable, JSONFileConfigLoader, PyFileConfigLoader
from traitlets.config.loader import LazyConfigValue

from jupyterhub_imagebuilder import binderhub_options
from jupyterhub_imagebuilder.errors import ImageBuilderError
from jupyterhub_imagebuilder.sections import CHANGES, SECTIONS

#: Short names for `c.ImageBuilder.executor_class`.
_EXECUTORS = {
    "docker": "jupyterhub_imagebuilder.executors.docker.executor.DockerExecutor",
    "kubernetes": "jupyterhub_imagebuilder.executors.kubernetes.executor.KubernetesExecutor",
}


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
        return _restored(loader(path.name, path=str(path.parent.absolute())).load_config())
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
        elif values and (said := binderhub_options.sentence(section, next(iter(values)))):
            raise ConfigurationError(said)
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


def _restored(config: Config) -> Config:
    """The same with changes of defaults, which the hub's file writes as data, as changes."""
    for section in filter(lambda values: isinstance(values, Config), config.values()):
        for option, value in section.items():
            if isinstance(value, dict) and value.keys() == {CHANGES}:
                section[option] = _change(value[CHANGES])
    return config


def _change(data: Mapping[str, Any]) -> LazyConfigValue:
    change = LazyConfigValue()
    for index, item in data.get("inserts", ()):
        change.insert(index, item)
    change.prepend(data.get("prepend", []))
    change.extend(data.get("extend", []))
    if "update" in data:
        change.update(data["update"] if isinstance(data["update"], dict) else set(data["update"]))
    return change


def _check_options(section: str, values: Config, known: Collection[str]) -> None:
    for option in values:
        # a capital begins a nested section, which traitlets reads by itself
        if option not in known and not option[0].isupper():
            raise ConfigurationError(
                binderhub_options.sentence(section, option)
                or f"There is no option c.{section}.{option}{_guess(option, known)}."
            )


def _guess(name: str, known: Collection[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}" if matches else ""


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f" in line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).name == path.name]
    return f" in line {lines[-1]}" if lines else ""
