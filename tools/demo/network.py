"""The bridge of an engine of the demo's own, and the rules that connect it.  Needs root.

The engine is told to leave the rules alone: at its start it would remove those of another one.
So each rule is made here, with a comment by which it is found again.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.demo import machine
from tools.demo.state import Unusable

#: Where subnets are taken from: Docker gives this range to nobody before the 14th network.
_POOL = ipaddress.IPv4Network("172.30.0.0/16")
_TABLES = ("filter", "nat")


@dataclass(frozen=True)
class Network:
    """A bridge and its subnet."""

    name: str  #: of the bridge; marks the rules too
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        """This machine's address on the bridge."""
        return str(self.subnet[1])

    def rules(self) -> list[tuple[str, list[str]]]:
        """Each rule: its table, and the words behind ``iptables -I``."""
        mark = ["-m", "comment", "--comment", mark_of(self.name)]
        known = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
        out = ["-s", str(self.subnet), "!", "-o", self.name]
        return [
            ("nat", ["POSTROUTING", *out, *mark, "-j", "MASQUERADE"]),
            ("filter", ["FORWARD", "-i", self.name, *mark, "-j", "ACCEPT"]),
            ("filter", ["FORWARD", "-o", self.name, *known, *mark, "-j", "ACCEPT"]),
            # the hub and the example's repository; a firewall may close everything else
            ("filter", ["INPUT", "-i", self.name, "-d", self.gateway, *mark, "-j", "ACCEPT"]),
        ]

    def up(self) -> None:
        """Make the bridge and its rules."""
        _do("ip", "link", "add", self.name, "type", "bridge")
        address = f"{self.gateway}/{self.subnet.prefixlen}"
        _do("ip", "address", "add", address, "dev", self.name)
        _do("ip", "link", "set", self.name, "up")
        for table, words in self.rules():
            _do("iptables", "--wait", "-t", table, "-I", *words)


def mark_of(name: str) -> str:
    """Comment of the rules that belong to a bridge."""
    return f"jupyterhub-imagebuilder-demo {name}"


def plan(name: str, before: str | None) -> Network:
    """A network for a bridge: that of the last time where it is free still."""
    return Network(name, choose(taken(), before))


def choose(
    others: Iterable[ipaddress.IPv4Network], before: str | None = None
) -> ipaddress.IPv4Network:
    """A subnet that nobody has; the one before keeps addresses the same, and so the images."""
    used = list(others)
    candidates = [ipaddress.IPv4Network(before)] if before else []
    for subnet in (*candidates, *_POOL.subnets(new_prefix=24)):
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise Unusable(f"every subnet in {_POOL} is in use: stop what uses one, and start again.")


def taken() -> list[ipaddress.IPv4Network]:
    """Where this machine's addresses and routes lead to, but for the default route."""
    routes = _do("ip", "-json", "-4", "route", "show", "table", "all")
    return parse_routes(routes)


def parse_routes(routes: str) -> list[ipaddress.IPv4Network]:
    """Read ``ip -json route``; what is no network (``default``) is left out."""
    found = []
    for route in json.loads(routes or "[]"):
        try:
            network = ipaddress.IPv4Network(str(route.get("dst")), strict=False)
        except ValueError:
            continue
        if network.prefixlen:
            found.append(network)
    return found


def down(name: str) -> None:
    """Remove the bridge and its rules, those of a run that was killed too."""
    if machine.program("iptables"):
        for table in _TABLES:
            listed = _ask("iptables", "--wait", "-t", table, "-S")
            for words in marked(listed, name):
                _ask("iptables", "--wait", "-t", table, "-D", *words)
    if machine.program("ip"):
        _ask("ip", "link", "delete", name)


def marked(listed: str, name: str) -> list[list[str]]:
    """Words behind ``iptables -D`` of a bridge's rules, as ``iptables -S`` lists them."""
    rules = (shlex.split(line) for line in listed.splitlines() if line.startswith("-A "))
    return [words[1:] for words in rules if mark_of(name) in words]


def _do(*words: str) -> str:
    done = _call(words)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unusable(f"{' '.join(words[:3])}: {said[-1] if said else done.returncode}")
    return done.stdout


def _ask(*words: str) -> str:
    """What is not there any more needs no removal."""
    return _call(words).stdout


def _call(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    path = machine.program(words[0])
    if path is None:
        raise Unusable(f"{words[0]} is missing: install iproute2 and iptables.")
    return subprocess.run([path, *words[1:]], check=False, capture_output=True, text=True)  # noqa: S603
