"""The admin's options for the service, from ``c`` to a JSON file.

The format is traitlets' own for configuration in JSON: one object per section
(https://traitlets.readthedocs.io/en/stable/config.html).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from jupyterhub_imagebuilder.sections import CHANGES, SECTIONS


def option(config: Config, section: str, name: str, default: Any = None) -> Any:
    """One option as the admin wrote it; the default where it is not there.

    ``Config`` makes up what one asks it for, so it is asked with care.
    """
    if section not in config or name not in config[section]:
        return default
    return reified(config[section][name])


def reified(value: Any) -> Any:
    """What traitlets' stand-ins for a value hold."""
    if isinstance(value, LazyConfigValue):
        return value.get_value([] if _is_list(value) else {})
    if isinstance(value, DeferredConfig):
        return _from_command_line(str(value))
    return value


def service_options(
    config: Config, defaults: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The sections that the service reads, as JSON data.

    :param defaults: options of ``c.ImageBuilder`` that this hub has otherwise than the service.
    :returns: the sections, and a sentence for each option that cannot be handed on.
    """
    sections: dict[str, dict[str, Any]] = {}
    refused: list[str] = []
    for section in SECTIONS:
        if section not in config:
            continue
        for name in config[section]:
            try:
                value = _handed_on(config[section][name])
            except _NotDataError as error:
                refused.append(f"c.{section}.{name} {error}")
            else:
                sections.setdefault(section, {})[name] = value
    if defaults:
        sections["ImageBuilder"] = {**defaults, **sections.get("ImageBuilder", {})}
    namespace = option(config, "KubeSpawner", "namespace")
    if isinstance(namespace, str) and namespace:
        sections.setdefault("KubernetesExecutor", {}).setdefault("namespace", namespace)
    return sections, refused


def _from_command_line(text: str) -> Any:
    """A value of the command line; traitlets itself waits for the option's type to read it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, bool | int | float | list | dict) else text


class _NotDataError(Exception):
    """The rest of a sentence that begins with the option's name."""


def _handed_on(value: Any) -> Any:
    if isinstance(value, LazyConfigValue):
        # only the service knows the option's default, to which this is a change
        return {CHANGES: _plain(value.to_dict())}
    return _plain(reified(value))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _NotDataError("has keys that are no texts, which the service cannot be given.")
        return {key: _plain(reified(item)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(reified(item)) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if callable(value):
        module, name = getattr(value, "__module__", "module"), getattr(value, "__name__", "name")
        raise _NotDataError(
            "is code, which the service, a process of its own, cannot be given: put it into an "
            f'importable module and write its name, such as "{module}.{name}".'
        )
    raise _NotDataError(f"is a {type(value).__name__}, which the service cannot be given.")


def _is_list(value: LazyConfigValue) -> bool:
    return any(key in value.to_dict() for key in ("extend", "prepend", "inserts"))
