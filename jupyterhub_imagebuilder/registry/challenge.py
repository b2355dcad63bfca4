"""``WWW-Authenticate`` as RFC 9110 (11.6.1) writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  # a grammar's word, no secret
#: One item of the list: a parameter, or a scheme with or without its token68.  Values without
#: quotes are taken more widely than the RFC does: some registries write URLs there.
_ITEM = re.compile(
    rf"""[\s,]*(?:
        (?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",]+))
        |(?P<scheme>{_TOKEN})(?=[\s,]|$)(?:[ ]+[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$)))?
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Challenge:
    """One way in that a server offers."""

    scheme: str  #: lower case
    params: Mapping[str, str] = field(default_factory=dict)  #: names in lower case


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read the values of all ``WWW-Authenticate`` headers, in their order.

    What is not of the grammar ends its header; the challenges before it count.
    """
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while match := _ITEM.match(header, position):
        position = match.end()
        if match["scheme"]:
            found.append((match["scheme"].lower(), {}))
        elif not found:
            break
        elif match["quoted"] is not None:
            value = re.sub(r"\\(.)", r"\1", match["quoted"], flags=re.DOTALL)
            found[-1][1].setdefault(match["name"].lower(), value)
        else:
            found[-1][1].setdefault(match["name"].lower(), match["bare"])
    return [Challenge(scheme, params) for scheme, params in found]
