"""The container engine that the demo uses: one that is there, or one of its own."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tools.demo import machine
from tools.demo.api import Api, EngineError
from tools.demo.keeper import socket_of
from tools.demo.state import CLONE, State, Unusable, say

DOCKERS_OWN = "/var/run/docker.sock"
#: Seconds for a private engine to come up, behind an older one that ends, and to go.
_STARTS = 180.0
_STOPS = 60.0
#: An address that is in nobody's network (RFC 5737); nothing is sent to it.
_ANYWHERE = ("192.0.2.1", 9)
_NONE = (
    "no container engine, and no root to install one: install Docker (the package docker.io) and"
    " let this user use it (group docker), or start the demo as root or with sudo."
)


@dataclass
class Engine:
    """A container engine."""

    host: str  #: as ``$DOCKER_HOST``
    private: bool  #: whether it is the demo's own
    gateway: str  #: this machine's address, as containers on the default bridge reach it
    _keeper: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def api(self) -> Api:
        """To talk to it."""
        return Api(self.host)

    def stop(self) -> None:
        """End one of the demo's own, with containers, bridge and rules; leave another's."""
        if self._keeper is None or self._keeper.stdin is None:
            return
        self._keeper.stdin.close()
        try:
            self._keeper.wait(_STOPS)
        except subprocess.TimeoutExpired:
            say("the container engine takes long to end; it goes on doing so")
        self._keeper = None


def find(state: State) -> Engine:
    """An engine that answers.  :raises Unusable: there is none and none can be started."""
    engine = None if _had_private(state) else existing()
    if engine is None:
        engine = _private(state)
    _note(state, engine)
    return engine


def _note(state: State, engine: Engine) -> None:
    """Remember what was there before the demo: its removal must leave that."""
    engines = state.recall("engines") or {}
    if engine.private or engine.host in engines:
        return
    volumes = engine.api.get("/volumes")["Volumes"] or []
    engines[engine.host] = {"volumes": [each["Name"] for each in volumes], "pulled": []}
    state.remember(engines=engines)


def existing() -> Engine | None:
    """An engine that runs already and that this user may use.

    :raises Unusable: ``$DOCKER_HOST`` names one that does not answer, or is on another machine.
    """
    named = os.environ.get("DOCKER_HOST", "")
    if named:
        if not Api(named).answers():
            raise Unusable(
                f"the container engine at DOCKER_HOST={named} does not answer: start it, or unset"
                " DOCKER_HOST."
            )
        return Engine(named, private=False, gateway=gateway(Api(named)))
    for path in _usual():
        api = Api(f"unix://{path}")
        if api.answers():
            return Engine(api.host, private=False, gateway=gateway(api))
    return None


def possible(state: State) -> str | None:
    """Why there will be no engine; None where there will be one.  Changes nothing."""
    try:
        if not _had_private(state) and existing() is not None:
            return None
    except Unusable as error:
        return str(error)
    if not machine.has_root():
        return _NONE
    if machine.program("dockerd") is None and not machine.with_apt():
        return "no container engine, and no apt to install one: install Docker, and start it."
    return None


def gateway(api: Api) -> str:
    """This machine's address for containers on an engine's default bridge.

    :raises Unusable: they cannot reach this machine.
    """
    try:
        found = bridge_address(api.get("/networks/bridge"))
    except EngineError as error:
        raise Unusable(f"the container engine has no default bridge: {error}") from error
    # a rootless engine's bridge is in a network of its own, from which this machine's is reached
    for address in (found, _outward()):
        if address and _ours(address):
            return address
    raise Unusable(
        f"containers of the engine at {api.host} cannot reach this machine: use an engine that"
        " runs on it."
    )


def bridge_address(bridge: dict[str, object]) -> str | None:
    """The gateway of a network, as ``GET /networks/NAME`` tells it; IPv4's."""
    ipam = bridge.get("IPAM")
    pools = ipam.get("Config") if isinstance(ipam, dict) else None
    for pool in pools or []:
        try:
            if pool.get("Gateway"):
                return str(ipaddress.IPv4Address(pool["Gateway"].partition("/")[0]))
            return str(ipaddress.IPv4Network(pool["Subnet"], strict=False)[1])
        except (ValueError, KeyError):
            continue
    return None


def bridge_name(folder: Path) -> str:
    """Name of a demo's bridge: at most 15 characters, and the same at each start."""
    return "ibdemo" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]


def remove_private(state: State) -> bool:
    """Remove a private engine with all that it has kept; whether nothing is left of it."""
    if not _had_private(state) and not _leftover(state):
        return True
    words = machine.as_root(_keeper(state, "remove"))
    done = subprocess.run(words, cwd=CLONE, check=False, capture_output=True)  # noqa: S603
    return done.returncode == 0 and not state.engine.exists()


def _had_private(state: State) -> bool:
    return state.engine.exists()


def _leftover(state: State) -> bool:
    return (Path("/sys/class/net") / bridge_name(state.folder)).exists()


def _private(state: State) -> Engine:
    if not machine.has_root():
        raise Unusable(_NONE)
    _install(state)
    say("starting a container engine of its own; no other one is touched")
    words = machine.as_root(_keeper(state, "run"))
    log = state.hub.parent / "engine.log"
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            words,
            cwd=CLONE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            # it outlives what the whole group is sent: user servers are stopped first.  sudo asks
            # on the terminal, which another session has not.
            start_new_session=not machine.root(),
        )
    told = _answer(process)
    if "gateway" not in told:
        Engine("", private=True, gateway="", _keeper=process).stop()
        raise Unusable(f"{told.get('error', 'the container engine ended')} ({log} says more).")
    state.remember(subnet=told["subnet"])
    host = f"unix://{socket_of(state.run)}"
    return Engine(host, private=True, gateway=told["gateway"], _keeper=process)


def _answer(keeper: subprocess.Popen[bytes]) -> dict[str, str]:
    """The keeper's one line; nothing where it ended without one."""
    if keeper.stdout is None or not select.select([keeper.stdout], [], [], _STARTS)[0]:
        return {}
    line = keeper.stdout.readline()
    return json.loads(line) if line else {}


def _keeper(state: State, command: str) -> list[str]:
    arguments = (
        command,
        bridge_name(state.folder),
        str(state.recall("subnet") or "-"),
        str(state.run),
        str(state.engine),
        str(os.getgid()),
    )
    proxies = [f"{name}={os.environ[name]}" for name in machine.PROXIES if name in os.environ]
    return ["env", *proxies, sys.executable, "-m", "tools.demo.keeper", *arguments]


def _install(state: State) -> None:
    """What a private engine needs and this machine lacks."""
    programs = {"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"}
    missing = [package for name, package in programs.items() if machine.program(name) is None]
    if not missing:
        return
    if not machine.with_apt():
        raise Unusable(f"install {' and '.join(missing)} first.")
    machine.install(missing, state)
    if "docker.io" in missing and machine.systemd_runs():
        services = ("docker.service", "docker.socket", "containerd.service")
        words = machine.as_root(["systemctl", "disable", "--quiet", *services])
        subprocess.run(words, check=False, capture_output=True)  # noqa: S603


def _usual() -> list[str]:
    own = os.environ.get("XDG_RUNTIME_DIR")
    return [DOCKERS_OWN, *([f"{own}/docker.sock"] if own else [])]


def _outward() -> str | None:
    """This machine's own address towards the world."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _ours(address: str) -> bool:
    """Whether it is one of this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
