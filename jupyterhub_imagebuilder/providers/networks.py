"""Which addresses a repository's host may not have."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.request import getproxies, proxy_bypass

from jupyterhub_imagebuilder.errors import ProviderUnavailable, SpecForbidden
from jupyterhub_imagebuilder.providers.address import Address

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Literal: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: This machine, its links, and where clouds keep the credentials of their machines.
DEFAULT_BLOCKED = (
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "100.100.100.200/32",
    "::/128",
    "::1/128",
    "fe80::/10",
    "fd00:ec2::254/128",
)

#: Prefix under which networks without IPv4 reach it (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def read_networks(texts: Iterable[str]) -> list[Network]:
    """Read networks in CIDR form.

    :raises ValueError: one is not.
    """
    return [ipaddress.ip_network(text, strict=False) for text in texts]


def is_blocked(text: str, blocked: Sequence[Network]) -> bool:
    """Whether the literal address is in one of the networks, in any of its spellings."""
    return any(
        address.version == network.version and address in network
        for address in _spellings(ipaddress.ip_address(text.partition("%")[0]))
        for network in blocked
    )


def has_proxy(address: Address) -> bool:
    """Whether a proxy reaches the host for us, and looks up its name."""
    if address.scheme not in {"http", "https"}:
        return False
    proxies = getproxies()
    named = address.scheme in proxies or "all" in proxies
    return named and not proxy_bypass(address.host.strip("[]"))


async def host_addresses(address: Address, blocked: Sequence[Network]) -> list[str]:
    """Look the host up; empty where only a proxy can.

    :raises SpecForbidden: one of its addresses is blocked.
    :raises ProviderUnavailable: there is no such host.
    """
    host = address.host.strip("[]")
    try:
        # Also reads literal addresses, in every form that a later connect would (127.1, 0x7f.1).
        found = await asyncio.get_running_loop().getaddrinfo(
            host, address.effective_port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        if has_proxy(address):
            return []
        raise ProviderUnavailable(
            f"The host {address.host} does not answer: its name is not known here."
        ) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if any(is_blocked(each, blocked) for each in addresses):
        raise SpecForbidden(
            f"Repositories of the host {address.host} are not built here: its address is blocked."
        )
    return addresses


def _spellings(address: _Literal) -> list[_Literal]:
    """The address, and the IPv4 address inside of an IPv6 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inside = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inside is None else [address, inside]
