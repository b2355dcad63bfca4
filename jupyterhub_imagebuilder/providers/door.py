"""The door: where providers may connect, checked at the connection itself.

A user decides which host is asked.  A check of the name alone would be no check: the name can mean
another address a moment later, and an answer can lead elsewhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver

from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.address import Address
from jupyterhub_imagebuilder.providers.networks import is_blocked, proxy_for, read_networks

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from aiohttp.tracing import Trace

#: Looks up a host: name and port -> literal addresses; OSError where there is no such name.
Lookup = Callable[[str, int], Awaitable[list[str]]]

_CONNECTIONS = 20


async def look_up(host: str, port: int) -> list[str]:
    """Ask this machine's resolver.

    It also reads literal addresses, in every form that a later connect would (127.1, 0x7f.1).
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Door:
    """Lets through to allowed addresses.

    :param blocked: networks in CIDR form in which no host may be.
    :param allowed: exceptions from these: networks or single addresses.
    :param lookup: looks up names; tests have their own.
    """

    def __init__(
        self, blocked: Iterable[str], allowed: Iterable[str] = (), *, lookup: Lookup = look_up
    ) -> None:
        self._blocked = read_networks(blocked)
        self._allowed = read_networks(allowed)
        self._lookup = lookup

    async def addresses(self, address: Address) -> list[str]:
        """Look the host up, once; empty where only a proxy can.

        :raises SpecForbidden: one of its addresses is blocked.
        :raises ProviderUnavailable: there is no such host.
        """
        try:
            return await self.lookup(address.host.strip("[]"), address.effective_port)
        except OSError as error:
            if proxy_for(address.scheme, address.host) is not None:
                return []
            raise ProviderUnavailable(
                f"The host {address.host} does not answer: its name is not known here."
            ) from error

    async def lookup(self, host: str, port: int) -> list[str]:
        """Literal addresses of a host, all of them allowed.

        :raises SpecForbidden: one of them is not: a server behind it could be any of them.
        :raises OSError: there is no such name.
        """
        self.check_literal(host)
        try:
            found = await self._lookup(host, port)
        except UnicodeError as error:
            raise OSError(f"not a name: {host!r}") from error
        for each in found:
            self._check(host, each)
        if not found:
            raise OSError(f"no address: {host!r}")
        return found

    def check_literal(self, host: str) -> None:
        """Return unless the host is a literal address that is blocked; asks nobody.

        :param host: may be a name, about which this says nothing.
        :raises SpecForbidden: it is blocked.
        """
        literal = _literal(host.strip("[]"))
        if literal is not None:
            self._check(host, literal)

    def connector(self, tls: ssl.SSLContext | None = None) -> aiohttp.TCPConnector:
        """Connections through this door, for one client session, which closes it.

        What is not allowed raises SpecForbidden where it would be connected to.

        :param tls: with what certificates are checked; None: the system's CAs.
        """
        return _Connector(self, tls or ssl.create_default_context())

    def _check(self, host: str, address: str) -> None:
        if is_blocked(address, self._blocked, self._allowed):
            raise SpecForbidden(
                f"Repositories of the host {host} are not built here: its address is blocked."
            )


class _Resolver(AbstractResolver):
    """aiohttp asks it for names only, just before it connects to what it answers."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - both are wanted
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": each,
                "port": port,
                "family": socket.AF_INET6 if ":" in each else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for each in await self._door.lookup(host, port)
        ]

    async def close(self) -> None:
        """Nothing is open."""


class _Connector(aiohttp.TCPConnector):
    """Looks at literal addresses, too, for which aiohttp asks no resolver."""

    def __init__(self, door: Door, tls: ssl.SSLContext) -> None:
        super().__init__(resolver=_Resolver(door), ssl=tls, limit=_CONNECTIONS)
        self._door = door

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
    ) -> Any:
        self._door.check_literal(req.url.host or "")
        return await super().connect(req, traces, timeout)


def _literal(host: str) -> str | None:
    """The address that the text is, in any form that a connect takes; None for a name."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(host.partition("%")[0]))
    # inet_aton takes what stands behind a space for a comment
    if host and not any(char.isspace() for char in host):
        with suppress(OSError, ValueError):
            return socket.inet_ntoa(socket.inet_aton(host))
    return None
