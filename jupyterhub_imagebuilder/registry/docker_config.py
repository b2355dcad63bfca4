"""Docker's ``config.json``, the form in which docker and Kubernetes keep credentials.

It is also what a Secret of type ``kubernetes.io/dockerconfigjson`` holds:
``{"auths": {"<host>": {"auth": "<base64>"}}}``; see ``cli/config/configfile/file.go`` and
``cli/config/types/authconfig.go`` of the docker CLI for its fields.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from jupyterhub_imagebuilder.registry.credentials import Credentials, unusable
from jupyterhub_imagebuilder.registry.helpers import Helper

#: Names of Docker Hub: the first is ours, the others stand in configurations and as API host.
DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def find_credentials(data: bytes, host: str, where: str) -> Credentials | Helper | None:
    """Find a registry's entry in the content of a ``config.json``.

    As docker does, a helper for this registry comes first.  One for all registries comes last:
    the entries beside it are what it did not take.

    :param host: of the registry, with its port if it has one.
    :param where: the file's name, for the error's sentence.
    :raises RegistryDenied: the content is not of that format.
    """
    config = _load(data, host, where)
    auths = config.get("auths") or {}
    if not isinstance(auths, dict):
        raise unusable(where, host, "have no object under 'auths'")
    if helper := _helper(config, host):
        return helper
    for entry in _entries(auths, host):
        found = _from_entry(entry, host, where)
        if found != Credentials():
            return found
    store = _text(config, "credsStore")
    return Helper(store, _asked_for(host)) if store else None


def _load(data: bytes, host: str, where: str) -> dict[str, Any]:
    try:
        config = json.loads(data)
    except ValueError:
        # Not chained: the exception holds the content, secrets and all.
        raise unusable(where, host, "are not JSON") from None
    if not isinstance(config, dict):
        raise unusable(where, host, "are not a JSON object")
    return config


def _entries(auths: dict[str, Any], host: str) -> Iterator[dict[str, Any]]:
    """The entries for the host: the one of exactly its name, then other spellings."""
    keys = [key for key in auths if _canonical(key) == _canonical(host)]
    for key in sorted(keys, key=lambda key: key != host):
        if isinstance(auths[key], dict):
            yield auths[key]


def _canonical(key: str) -> str:
    """The host in a key; docker takes ``host``, ``https://host`` and ``https://host/v1/``."""
    host = key.split("://", 1)[-1].split("/", 1)[0].lower()
    return DOCKER_HUB[0] if host in DOCKER_HUB else host


def _from_entry(entry: dict[str, Any], host: str, where: str) -> Credentials:
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        try:
            decoded = base64.b64decode("".join(auth.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            raise unusable(where, host, "have an 'auth' that is not base64") from None
        # The password may hold colons; docker pads it with NULs at times.
        username, _, password = decoded.partition(":")
        password = password.strip("\x00")
    return Credentials(
        username=username if password else "",
        password=password,
        identity_token=_text(entry, "identitytoken"),
        registry_token=_text(entry, "registrytoken"),
    )


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _helper(config: dict[str, Any], host: str) -> Helper | None:
    helpers = config.get("credHelpers")
    for key, name in helpers.items() if isinstance(helpers, dict) else ():
        if _canonical(key) == _canonical(host) and isinstance(name, str) and name:
            return Helper(name, _asked_for(host))
    return None


def _asked_for(host: str) -> str:
    """What docker asks a helper for: for its own hub an address with a history."""
    return "https://index.docker.io/v1/" if host in DOCKER_HUB else host
