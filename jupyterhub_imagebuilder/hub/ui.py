"""``setup_ui(c)``: everything that a hub needs, put into its configuration.

What depends on options is computed when traitlets applies the configuration, after the whole file
was read: options may stand before or behind the call.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from jupyterhub.spawner import Spawner
from traitlets.config import Config
from traitlets.log import get_logger
from traitlets.utils.importstring import import_item

from jupyterhub_imagebuilder.builds.naming import IMAGES_OF_THE_ENGINE
from jupyterhub_imagebuilder.hub.client import ServiceAddress
from jupyterhub_imagebuilder.hub.config_file import option, service_options
from jupyterhub_imagebuilder.hub.mixing import is_kubespawner, mixed
from jupyterhub_imagebuilder.hub.service import ServiceEntry, ServiceOptions
from jupyterhub_imagebuilder.hub.shared import HubSide

#: What a hub without Kubernetes need not say; DockerSpawner's side knows the prefix, too.
_ONE_MACHINE = {"executor_class": "docker", "image_prefix": IMAGES_OF_THE_ENGINE}


def setup_ui(c: Config) -> None:
    """Add the choice *Build from a repository* to a hub.

    Registers the service, the scope that lets users reach it, and a spawner class derived from the
    configured one.  Calling it again changes nothing.

    :param c: the hub's configuration, with ``c.JupyterHub.spawner_class`` set.
    :raises ValueError: there is no such spawner class, or the service's name is taken.
    """
    base = _spawner_class(c)
    if getattr(base, "hub_side", None) is not None:
        return
    bases = mixed(base)
    setup = _Setup(c, ServiceOptions(c, None if is_kubespawner(base) else _ONE_MACHINE))
    setup.add_service()
    setup.add_role()
    c.JupyterHub.spawner_class = type(
        f"ImageBuilder{base.__name__}", bases, {"hub_side": setup.hub_side, "__module__": __name__}
    )


class _Setup:
    """What ``setup_ui`` put where."""

    def __init__(self, c: Config, options: ServiceOptions) -> None:
        self._c = c
        self._options = options
        self._external: Mapping[str, Any] | None = None
        self.hub_side = HubSide(self._address, lambda: options.name)

    def add_service(self) -> None:
        """Add the service, unless the admin runs it elsewhere."""
        services = [each for each in self._services() if not isinstance(each, ServiceEntry)]
        for entry in services:
            if entry.get("name") == self._options.name:
                self._use(entry)
                return
        services.append(ServiceEntry(self._options, self._check))
        self._c.JupyterHub.services = services

    def add_role(self) -> None:
        """Let users reach the service."""
        roles = option(self._c, "JupyterHub", "load_roles", [])
        self._c.JupyterHub.load_roles = _Roles(roles, self._options, self._check_service)

    def _use(self, entry: Mapping[str, Any]) -> None:
        if entry.get("command") or not entry.get("url") or not entry.get("api_token"):
            raise ValueError(
                f"c.JupyterHub.services has an entry {self._options.name!r} already, which is not "
                "the image builder's: remove it, or set c.ImageBuilder.service_name to a free "
                "name. (An image builder that runs on its own has url and api_token there, and no "
                "command.)"
            )
        self._external = entry
        self.hub_side.elsewhere = True

    def _address(self, base_url: str) -> ServiceAddress:
        if self._external is not None:
            url, token = str(self._external["url"]), str(self._external["api_token"])
        else:
            url, token = self._options.url, self._options.token
        prefix = f"{base_url.rstrip('/')}/services/{self._options.name}/"
        return ServiceAddress(url.rstrip("/") + prefix, token)

    def _check_service(self) -> None:
        """Say so where the service was lost, as the configuration is applied."""
        services = self._services()
        ours = any(isinstance(each, ServiceEntry) for each in services)
        if not ours and self._external not in services:
            get_logger().error("Building images is unavailable: %s", lost("services"))

    def _services(self) -> list[Any]:
        return list(option(self._c, "JupyterHub", "services", []))

    def _check(self, config: Config) -> None:
        """Look at what became of the configuration, when the service starts."""
        _, refused = service_options(config)
        self.hub_side.troubles = list(refused)
        for sentence in refused:
            get_logger().error("The image builder starts without an option: %s", sentence)
        scope = access_scope(self._options.name)
        roles = option(self._c, "JupyterHub", "load_roles", [])
        if not isinstance(roles, _Roles) and not any(
            scope in role.get("scopes", ()) for role in roles
        ):
            get_logger().error("Users cannot reach the image builder: %s", lost("load_roles"))
        spawner = option(self._c, "JupyterHub", "spawner_class")
        if getattr(spawner, "hub_side", None) is not self.hub_side:
            get_logger().error("The form offers no builds: %s", lost("spawner_class"))


class _Roles(list[Any]):
    """``load_roles`` with the scope in it: two roles of one name would stop the hub."""

    def __init__(self, roles: Any, options: ServiceOptions, check: Callable[[], None]) -> None:
        super().__init__(roles)
        self._options = options
        self._check = check

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        self._check()
        roles = [copy.deepcopy(role, memo) for role in self]
        scope = access_scope(self._options.name)
        for role in roles:
            if role.get("name") == "user":
                scopes = list(role.get("scopes", ["self"]))
                role["scopes"] = scopes if scope in scopes else [*scopes, scope]
                return roles
        return [*roles, {"name": "user", "scopes": ["self", scope]}]


def access_scope(service_name: str) -> str:
    """JupyterHub's scope for reaching a service."""
    return f"access:services!service={service_name}"


def lost(name: str) -> str:
    """The sentence for an option that was overwritten."""
    return (
        f"c.JupyterHub.{name} was assigned after setup_ui(c), which removed the image builder from "
        "it; assign it before, or add to it."
    )


def _spawner_class(c: Config) -> type:
    configured = option(c, "JupyterHub", "spawner_class")
    found = _imported(configured) if isinstance(configured, str) else configured
    if isinstance(found, type) and issubclass(found, Spawner):
        return found
    now = "not set" if configured is None else f"{configured!r}"
    raise ValueError(
        f"c.JupyterHub.spawner_class is {now}, but has to be a spawner before setup_ui(c): "
        'write c.JupyterHub.spawner_class = "kubespawner.KubeSpawner" (or "docker", or a class '
        "of your own)."
    )


def _imported(name: str) -> object:
    """The class of that name, as JupyterHub looks it up."""
    for entry in entry_points(group="jupyterhub.spawners"):
        if entry.name.lower() == name.lower():
            return entry.load()
    try:
        return import_item(name)
    except ImportError as error:
        raise ValueError(
            f"c.JupyterHub.spawner_class is {name!r}, which cannot be imported: {error}"
        ) from error
