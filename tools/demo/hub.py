"""The demo's JupyterHub: the example configuration, and what depends on this machine."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_imagebuilder.hub.state import write_private
from tools.demo import ports
from tools.demo.containers import OWNER
from tools.demo.engine import Engine
from tools.demo.images import Images
from tools.demo.processes import Child, Processes
from tools.demo.state import CLONE, State, Unusable

ADDRESS = "127.0.0.1"
USER = "demo"
_CONFIGURATION = CLONE / "setup_ui_example.py"
#: Seconds until the login page answers.
_PATIENCE = 90
#: Of whoever started the demo; a hub would take them for its own.
_OTHERS = ("KUBERNETES_", "JUPYTERHUB_", "CONFIGPROXY_", "JPY_")


@dataclass(frozen=True)
class Place:
    """What the hub stands on."""

    port: int
    engine: Engine
    images: Images
    repository: str  #: the example's address


def password(state: State) -> str:
    """The users' password, made at the first start."""
    path = state.hub / "password"
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        made = secrets.token_hex(5)
    # whole or not at all: half of it would keep the hub from starting, for ever
    write_private(path, f"{made}\n")
    return made


def start(state: State, place: Place, processes: Processes) -> Child:
    """Start JupyterHub, and return when its login page answers.

    :raises Unusable: it does not come up.
    """
    words = [sys.executable, "-m", "jupyterhub", *arguments(place)]
    environment = environment_of(place.engine, os.environ)
    child = processes.start("JupyterHub", words, state.hub / "hub.log", env=environment)
    processes.wait_for(child, lambda: answers(place.port), seconds=_PATIENCE)
    return child


def arguments(place: Place) -> list[str]:
    """JupyterHub's command line; nothing in it is secret."""
    hub_port = ports.free(place.engine.gateway)[0]
    proxy_port, builder_port = ports.free(ADDRESS, ADDRESS)
    options = {
        "JupyterHub.bind_url": f"http://{ADDRESS}:{place.port}",
        "JupyterHub.hub_ip": place.engine.gateway,
        "JupyterHub.hub_port": hub_port,
        "ConfigurableHTTPProxy.api_url": f"http://{ADDRESS}:{proxy_port}",
        "DockerSpawner.image": place.images.base,
        "DockerSpawner.prefix": OWNER,
        "DockerExecutor.build_image": place.images.build,
        "DockerExecutor.instance": OWNER,
        "ImageBuilder.port": builder_port,
        # the example is served on a private address, which nobody may name otherwise
        "HostProvider.allowed_networks": json.dumps([place.engine.gateway]),
        "ImageBuilderSpawner.prefill": place.repository,
    }
    if not place.images.buildx:
        # it would say that it does not know them
        options["DockerExecutor.buildx_args"] = "[]"
    # the database may be one that an older JupyterHub has left
    first = [f"--config={_CONFIGURATION}", "--upgrade-db"]
    return [*first, *(f"--{name}={value}" for name, value in options.items())]


def environment_of(engine: Engine, outer: Mapping[str, str]) -> dict[str, str]:
    """What the hub's process gets of ours.

    :param outer: the demo's own environment.
    """
    kept = {name: value for name, value in outer.items() if not name.startswith(_OTHERS)}
    # its proxy is installed there
    programs = f"{Path(sys.executable).parent}{os.pathsep}{outer.get('PATH', os.defpath)}"
    return {**kept, "PATH": programs, "DOCKER_HOST": engine.host}


def answers(port: int) -> bool:
    """Whether the login page is there."""
    # no urllib: a proxy for the outside world has no business here
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    try:
        connection.request("GET", "/hub/login")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def choose_port(wanted: str) -> int:
    """The port for the browser.

    :raises Unusable: it is none, or is taken.
    """
    if not wanted.isascii() or not wanted.isdigit() or not 0 < int(wanted) < 1 << 16:
        raise Unusable(f"DEMO_PORT is {wanted!r}, but has to be a number from 1 to 65535.")
    port = int(wanted)
    if not ports.is_free(ADDRESS, port):
        other = ports.first_free(ADDRESS, min(port + 1, 60000))
        raise Unusable(
            f"Port {port} of {ADDRESS} is taken: stop what listens there, or choose another one "
            f"with `make demo DEMO_PORT={other}`."
        )
    return port
