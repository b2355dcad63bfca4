"""Whose request it is: the service's own token, tokens from a file, or the hub's answer.

Tokens come in the Authorization header.  The one cookie that there is, and what guards it, is
:mod:`.session`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    AuthenticationRequired,
    ImageBuilderError,
    ServiceUnavailable,
    SpecInvalid,
)

_SCHEME = re.compile(r"\s*(?:bearer|token)\s+(.*?)\s*", re.IGNORECASE)
#: Visible ASCII: anything else could not be sent to the hub in a header.
_TOKEN = re.compile(r"[\x21-\x7e]{1,1024}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request."""

    owner: Owner
    speaks_for_users: bool = False  #: whether the request may name another owner


class HubTokens(Protocol):
    """What the hub knows of tokens; see :class:`jupyterhub_imagebuilder.web.hub_auth.Hub`."""

    async def prepare(self) -> None:
        """Do now what the first question would have to wait for."""

    async def owner(self, token: str) -> Owner | None:
        """Whose token it is, None when it is not valid.

        :raises AccessDenied: it is valid and may not use the image builder.
        :raises ServiceUnavailable: the hub does not answer.
        """


class TokenFile:
    """API tokens for where there is no hub: JSON, ``{"<name>": "<token>"}``.

    The file is read again when it has changed; while it is broken, nobody gets in by it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _Stamp | None = None
        self._names: Sequence[tuple[bytes, str]] = ()  # with the digests of their tokens
        self._reading = asyncio.Lock()

    async def name_of(self, token: str) -> str | None:
        """Whose token it is; the loop waits for no more than the file's time.

        :raises ServiceUnavailable: the file cannot be used; the message says why.
        """
        if self._changed() is not None:
            async with self._reading:
                await asyncio.to_thread(self.refresh)
        given = _digest(token)
        # all of them, so that the time does not tell which one it was
        names = [name for known, name in self._names if hmac.compare_digest(known, given)]
        return names[0] if names else None

    def refresh(self) -> None:
        """Read the file if it has changed.

        :raises ServiceUnavailable: it cannot be used; the message says why.
        """
        stamp = self._changed()
        if stamp is None:
            return
        self._seen = None
        # a mounted Secret is readable by its group; nobody else may see it or change it
        if stamp.mode & 0o027:
            raise ServiceUnavailable(
                f"The API tokens file {self._path} is open to others; set its mode to 0600."
            )
        try:
            tokens = _tokens(self._path.read_bytes())
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error
        self._names = [(_digest(token), name) for name, token in tokens.items()]
        self._seen = stamp

    def _changed(self) -> _Stamp | None:
        """What the file is now, None where that was read already."""
        try:
            found = self._path.stat()
        except OSError as error:
            self._seen = None
            raise self._unusable(error) from error
        stamp = _Stamp(found.st_mtime_ns, found.st_ino, stat.S_IMODE(found.st_mode))
        return None if stamp == self._seen else stamp

    def _unusable(self, error: OSError | ValueError) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The API tokens file {self._path} cannot be used: {_why(error)}."
        )


class _Stamp(NamedTuple):
    """By what a file is known to be the one that was read."""

    changed: int  # nanoseconds
    inode: int
    mode: int


class Authenticator:
    """Finds out who sends a request.

    :param own_token: the service's own token; empty where there is none.
    :param own_name: the service's name.
    :param tokens: API tokens beside a hub's, or instead of them.
    :param hub: asked last.
    """

    def __init__(
        self,
        *,
        own_token: str = "",
        own_name: str = "imagebuilder",
        tokens: TokenFile | None = None,
        hub: HubTokens | None = None,
    ) -> None:
        self._own_token = own_token
        self._own = Principal(Owner(own_name, OwnerKind.SERVICE, admin=True), speaks_for_users=True)
        self._tokens = tokens
        self._hub = hub

    async def prepare(self) -> None:
        """Do now what the first request would have to wait for."""
        if self._hub is not None:
            await self._hub.prepare()

    async def principal(self, authorization: str | None) -> Principal:
        """Who stands behind an Authorization header.

        :raises AuthenticationRequired: no token in it, or one that is not valid.
        :raises AccessDenied: a valid one that may not use the image builder.
        :raises ServiceUnavailable: it cannot be told now.
        """
        return await self.principal_of(token_in(authorization))

    async def principal_of(self, token: str) -> Principal:
        """Who stands behind a token; raises as :meth:`principal` does."""
        if not _TOKEN.fullmatch(token):
            raise AuthenticationRequired("The token is not valid.")
        if self._own_token and same(self._own_token, token):
            return self._own
        broken: ImageBuilderError | None = None
        if self._tokens is not None:
            try:
                name = await self._tokens.name_of(token)
            except ServiceUnavailable as error:
                broken = error
            else:
                if name is not None:
                    return Principal(Owner(name, OwnerKind.TOKEN))
        owner = await self._hub.owner(token) if self._hub is not None else None
        if owner is not None:
            return Principal(owner)
        if broken is not None:
            raise broken
        raise AuthenticationRequired("The token is not valid, or it has expired.")


def token_in(authorization: str | None) -> str:
    """The token of an Authorization header.

    :raises AuthenticationRequired: there is none.
    """
    if not authorization:
        raise AuthenticationRequired("A token is required: Authorization: Bearer <token>.")
    match = _SCHEME.fullmatch(authorization)
    if match is None:
        raise AuthenticationRequired("The Authorization header has to be: Bearer <token>.")
    return match[1]


def same(known: str, given: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing about them."""
    return hmac.compare_digest(_digest(known), _digest(given))


def _digest(secret: str) -> bytes:
    """Of the same length for all secrets, so that comparing does not tell theirs."""
    return hashlib.sha256(secret.encode()).digest()


def owner_named(document: Any, principal: Principal) -> Owner:
    """The owner that a request names (JSON of the REST API), else its sender.

    :param document: ``{"name": …, "groups": […], "admin": false}`` or None.
    :raises AccessDenied: the sender may not name one.
    :raises SpecInvalid: the document has another shape.
    """
    if document is None:
        return principal.owner
    if not principal.speaks_for_users:
        raise AccessDenied("Only the hub may name the owner of a request.")
    match document:
        case {"name": str(name)} if name and not document.keys() - {"name", "groups", "admin"}:
            groups, admin = document.get("groups", []), document.get("admin", False)
            if (
                isinstance(groups, list)
                and all(isinstance(group, str) for group in groups)
                and isinstance(admin, bool)
            ):
                return Owner(name, OwnerKind.USER, frozenset(groups), admin)
    raise SpecInvalid('An owner has to be {"name": "…", "groups": ["…"], "admin": false}.')


def _tokens(content: bytes) -> Mapping[str, str]:
    tokens = json.loads(content)
    if not isinstance(tokens, dict) or not all(
        isinstance(token, str) and _TOKEN.fullmatch(token) for token in tokens.values()
    ):
        raise ValueError('it has to be {"<name>": "<token>"}')
    return tokens


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    # a decoder's message may quote the file, and the file holds secrets
    is_ours = not isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
    return str(error) if is_ours else "it is not JSON"
