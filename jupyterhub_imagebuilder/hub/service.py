"""The managed service's entry in ``c.JupyterHub.services``, computed when all options are known.

traitlets deep-copies each value when it is applied, which is after the whole configuration was
read: :class:`ServiceEntry` becomes a plain dictionary at that moment.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub
from traitlets.config import Config
from traitlets.log import get_logger

from jupyterhub_imagebuilder.hub.config_file import option, service_options
from jupyterhub_imagebuilder.hub.panel import front_end_built
from jupyterhub_imagebuilder.hub.state import service_token, state_dir, write_private

#: A managed service inherits nearly nothing; this is what it needs of the hub's environment.
_PASSED_ON: Final = (
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "KUBERNETES_SERVICE_PORT_HTTPS",
    "KUBECONFIG",
    "POD_NAMESPACE",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    *(
        spelled
        for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
        for spelled in (name, name.upper())
    ),
)
_ALL_INTERFACES: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class ServiceOptions:
    """The hub's own view of our options, read from ``c`` whenever it is asked.

    :param defaults: of ``c.ImageBuilder``, where this hub's are others than the service's.
    """

    def __init__(self, config: Config, defaults: Mapping[str, str] | None = None) -> None:
        self.config = config
        self.defaults = defaults or {}

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self._given("service_name", "imagebuilder"))

    @property
    def url(self) -> str:
        """Where the service listens, as JupyterHub, its proxy and the hub reach it."""
        return f"http://{_own_address()}:{self._given('port', 8586)}"

    @property
    def state_dir(self) -> Path:
        """Where token and configuration are kept."""
        wanted = self._given("state_dir", None) or "imagebuilder"
        return state_dir(Path(wanted).absolute())

    @property
    def token(self) -> str:
        """The service's own API token."""
        return service_token(self.state_dir)

    def _given(self, name: str, default: Any) -> Any:
        value = option(self.config, "ImageBuilder", name, default)
        if not JupyterHub.initialized():
            return value
        # what is on the command line goes before the file, which is all that ``c`` has
        return option(JupyterHub.instance().cli_config, "ImageBuilder", name, value)


class ServiceEntry(dict[str, Any]):
    """The entry in ``services``."""

    def __init__(self, options: ServiceOptions, at_start: Callable[[Config], None]) -> None:
        super().__init__(name=options.name)
        self._options = options
        self._at_start = at_start

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        options = self._options
        return {
            "name": options.name,
            "url": options.url,
            "api_token": options.token,
            "command": [sys.executable, "-m", "jupyterhub_imagebuilder"],
            # in the hub's menu of services, for those who may reach it
            "display": front_end_built(),
            "oauth_no_confirm": True,
            "environment": self._environment(),
        }

    def _environment(self) -> dict[str, Any]:
        passed_on: dict[str, Any] = {
            name: os.environ[name] for name in _PASSED_ON if name in os.environ
        }
        return {
            **passed_on,
            "IMAGEBUILDER_CONFIG_FILE": _AtStart(self._write_config),
            "JUPYTERHUB_API_URL": _AtStart(_hub_api_url),
        }

    def _write_config(self, spawner: Any) -> str:
        """Write the service's configuration; an exception here would end the hub."""
        path = self._options.state_dir / "config.json"
        try:
            app = getattr(getattr(spawner.user, "service", None), "app", None)
            # with what came from the command line, where there is an application
            config = app.config if app is not None else self._options.config
            self._at_start(config)
            sections, _ = service_options(config, self._options.defaults)
            sections.setdefault("ImageBuilder", {})["state_dir"] = str(path.parent)
            write_private(path, json.dumps(sections, indent=2, sort_keys=True))
        except Exception:  # noqa: BLE001  # logged with its traceback
            get_logger().exception("The image builder's configuration could not be written")
        return str(path)


class _AtStart(str):
    """A variable that JupyterHub computes when it starts the service: every option is known then.

    It is a text, too: JupyterHub 6 keeps the environment in its database, and warns of code in it.
    """

    __slots__ = ("_compute",)
    _compute: Callable[[Any], str]

    def __new__(cls, compute: Callable[[Any], str]) -> Self:
        self = super().__new__(cls, "computed at the start")
        self._compute = compute
        return self

    def __call__(self, spawner: Any) -> str:
        return self._compute(spawner)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def _hub_api_url(spawner: Any) -> str:
    """The hub's API as a process beside the hub reaches it.

    Network policies may keep a pod from its own service's address; JupyterHub means to hand out
    the loopback address to managed services, too.
    """
    hub = spawner.hub
    loopback = _ALL_INTERFACES.get(hub.ip)
    url = str(hub.api_url)
    parts = urlsplit(url)
    if loopback is None or spawner.internal_ssl or parts.scheme != "http":
        return url
    return parts._replace(netloc=f"{loopback}:{hub.port}").geturl()


def _own_address() -> str:
    """This pod's address in a cluster, where the proxy is elsewhere; else the loopback one."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return "127.0.0.1"
    try:
        address = os.environ.get("POD_IP") or socket.gethostbyname(socket.gethostname())
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address  # noqa: PLR2004
    except (OSError, ValueError) as error:
        get_logger().warning("This pod's own address is unknown (%s); using 127.0.0.1", error)
        return "127.0.0.1"
