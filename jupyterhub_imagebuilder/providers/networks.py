"""Which addresses a repository's host may not have, and which hosts a proxy reaches for us.

Source of the networks: IANA's registries of special-purpose addresses (RFC 6890), and the addresses
at which clouds hand out the credentials of their machines.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from urllib.request import getproxies, proxy_bypass

from jupyterhub_imagebuilder.providers.address import Address

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Literal: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: This machine, its links, private networks, and where clouds keep their machines' credentials.
DEFAULT_BLOCKED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "::/127",
    "64:ff9b:1::/48",
    "fc00::/7",
    "fe80::/9",
    "ff00::/8",
)

#: Prefixes behind which an IPv4 address stands: RFC 6052 (networks without IPv4), RFC 4291
#: (IPv4-compatible).
_EMBEDDING = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))


def read_networks(texts: Iterable[str]) -> list[Network]:
    """Read networks in CIDR form, and single addresses.

    :raises ValueError: one is neither.
    """
    return [ipaddress.ip_network(text, strict=False) for text in texts]


def is_blocked(text: str, blocked: Sequence[Network], allowed: Sequence[Network] = ()) -> bool:
    """Whether the literal address is in a blocked network, in any of its spellings.

    :param allowed: exceptions from the blocked ones.
    """
    return any(
        _within(address, blocked) and not _within(address, allowed)
        for address in _spellings(ipaddress.ip_address(text.partition("%")[0]))
    )


def proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that reaches the host for us and looks up its name, from the environment.

    :param host: an IPv6 address may be in brackets.
    :return: its URL; None where there is none.
    """
    if scheme not in {"http", "https"} or proxy_bypass(host.strip("[]")):
        return None
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all")


def has_proxy(address: Address) -> bool:
    """Whether a proxy reaches the host for us."""
    return proxy_for(address.scheme, address.host) is not None


def _within(address: _Literal, networks: Sequence[Network]) -> bool:
    return any(address.version == each.version and address in each for each in networks)


def _spellings(address: _Literal) -> list[_Literal]:
    """The address, and the IPv4 address inside of an IPv6 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inside = address.ipv4_mapped or address.sixtofour
    if any(address in prefix for prefix in _EMBEDDING):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inside is None else [address, inside]
