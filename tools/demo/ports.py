"""Ports of this machine that nobody listens at."""

from __future__ import annotations

import contextlib
import socket

from tools.demo.state import Unusable

#: How many ports from the wanted one on are tried.
_ATTEMPTS = 100


def is_free(address: str, port: int) -> bool:
    """Whether one could listen there; False, too, where the address is not this machine's."""
    with socket.socket() as probe:
        # connections that ended a moment ago do not count; whoever listens does
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def free(*addresses: str) -> list[int]:
    """A free port at each address; no two are the same."""
    with contextlib.ExitStack() as held:
        return [_bound(held, address) for address in addresses]


def first_free(address: str, *wanted: int) -> int:
    """The first of some ports that is free, or of those behind the last one.

    :raises Unusable: none of them is.
    """
    candidates: list[int] = [*wanted, *range(wanted[-1] + 1, wanted[-1] + _ATTEMPTS)]
    for port in candidates:
        if is_free(address, port):
            return port
    raise Unusable(f"No port of {address} from {wanted[-1]} on can be listened at.")


def _bound(held: contextlib.ExitStack, address: str) -> int:
    found = held.enter_context(socket.socket())
    found.bind((address, 0))
    return int(found.getsockname()[1])
