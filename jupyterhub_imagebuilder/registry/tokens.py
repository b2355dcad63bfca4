"""Bearer tokens, as the distribution project's token specification has them.

``GET realm?service=…&scope=…`` with Basic credentials (docs/content/spec/auth/token.md), or a
form ``POST`` where there is an identity token (…/auth/oauth.md).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from yarl import URL

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.flights import SingleFlight
from jupyterhub_imagebuilder.registry.challenge import Challenge
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.transport import Answer, Transport

#: Seconds that a token is valid where its server does not say: the specification's number.
_LIFETIME = 60.0
#: Seconds before its end in which a token is not used any more.
_MARGIN = 10.0
#: What may stand in a header: RFC 6750's b64token, with what JSON web tokens add to it.
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a token is asked for, and by whom."""

    realm: URL
    service: str
    scope: str
    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    asked: float
    expires: float


class Tokens:
    """Fetches access tokens and keeps them until shortly before their end.

    :param registry: the registry's own address: its scheme and host decide which realms are
        safe to send credentials to.
    :param host: the registry's name, for the sentences.
    """

    def __init__(self, registry: URL, host: str, transport: Transport, clock: Clock) -> None:
        self._registry = registry
        self._host = host
        self._transport = transport
        self._clock = clock
        self._tokens: dict[_Grant, _Token] = {}
        self._flights: SingleFlight[_Grant, str] = SingleFlight()

    async def get(
        self, challenge: Challenge, credentials: Credentials | None, *, refused: str | None = None
    ) -> str:
        """A token that answers the challenge; one request for all who ask at once.

        :param credentials: None asks for an anonymous token.
        :param refused: a token that the registry did not take: not returned again from memory.
        :raises RegistryDenied: the credentials are refused, or the realm is not a safe place.
        :raises RegistryUnavailable: the token server does not answer, or not with a token.
        """
        realm = self._realm(challenge.params.get("realm", ""))
        service = challenge.params.get("service", "")
        grant = _Grant(realm, service, challenge.params.get("scope", ""), credentials)
        token = self._tokens.get(grant)
        if token and token.value != refused and self._clock.now() < token.expires:
            return token.value
        return await self._flights.run(grant, partial(self._fetch, grant))

    def now(self) -> float:
        """The time by which tokens age, in seconds since the epoch."""
        return self._clock.now()

    def granted_since(self, value: str, challenge: Challenge, when: float) -> bool:
        """Whether the token is for what the challenge asks, and was asked for not before."""
        scope = challenge.params.get("scope", "")
        return any(
            token.value == value and grant.scope == scope and token.asked >= when
            for grant, token in self._tokens.items()
        )

    async def close(self) -> None:
        """End the requests under way."""
        await self._flights.close()

    def _realm(self, text: str) -> URL:
        try:
            realm = URL(text)
        except ValueError:
            realm = URL()
        # Over plain http only to the registry itself, and only if that is spoken to so anyway.
        plain = realm.scheme == self._registry.scheme and realm.host == self._registry.host
        if not realm.host or realm.user or (realm.scheme != "https" and not plain):
            raise RegistryDenied(
                f"The registry {self._host} asks to log in at an address that credentials cannot "
                "safely be sent to; please tell the administrator of this hub."
            )
        return realm

    async def _fetch(self, grant: _Grant) -> str:
        asked = self._clock.now()
        answer = await self._request(grant)
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer.status)
        value, lifetime = self._read(answer.body)
        # Counted from the question: the server's own clock (issued_at) may differ from ours.
        expires = asked + lifetime - min(_MARGIN, lifetime / 2)
        self._tokens = {g: t for g, t in self._tokens.items() if asked < t.expires}
        self._tokens[grant] = _Token(value, asked, expires)
        return value

    async def _request(self, grant: _Grant) -> Answer:
        credentials, service = grant.credentials, grant.service
        if credentials and credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": "jupyterhub-imagebuilder",
                "refresh_token": credentials.identity_token,
                "service": service,
                "scope": grant.scope,
            }
            return await self._transport.send("POST", grant.realm, headers={}, form=form)
        query = [*grant.realm.query.items(), ("service", service)]
        query += [("scope", scope) for scope in grant.scope.split()]
        url = grant.realm.with_query([(name, value) for name, value in query if value])
        headers = {"Authorization": basic(credentials)} if credentials else {}
        return await self._transport.send("GET", url, headers=headers)

    def _read(self, body: bytes) -> tuple[str, float]:
        try:
            content = json.loads(body)
        except ValueError:
            content = None  # the exception would hold the body
        answer: Mapping[str, Any] = content if isinstance(content, dict) else {}
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise RegistryUnavailable(
                f"The login server of the registry {self._host} answers without a token; "
                "please tell the administrator of this hub."
            )
        lifetime = answer.get("expires_in")
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or lifetime <= 0:
            lifetime = _LIFETIME
        return token, float(lifetime)

    def _refusal(self, status: int) -> RegistryDenied | RegistryUnavailable:
        refused = HTTPStatus.BAD_REQUEST <= status != HTTPStatus.NOT_FOUND
        if refused:
            return denied(self._host)
        return RegistryUnavailable(
            f"The login server of the registry {self._host} gives an unexpected answer ({status}); "
            "please tell the administrator of this hub."
        )


def basic(credentials: Credentials) -> str:
    """The ``Authorization`` header's value of RFC 7617."""
    text = f"{credentials.username}:{credentials.password}"
    return "Basic " + base64.b64encode(text.encode()).decode("ascii")


def denied(host: str) -> RegistryDenied:
    """The registry, or its login server, does not take our credentials."""
    return RegistryDenied(
        f"The registry {host} refuses the image builder's credentials; "
        "please tell the administrator of this hub."
    )
