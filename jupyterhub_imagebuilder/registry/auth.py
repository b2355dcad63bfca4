"""Requests that answer a registry's challenge with our credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from yarl import URL

from jupyterhub_imagebuilder.errors import RegistryDenied
from jupyterhub_imagebuilder.registry.challenge import Challenge, parse_challenges
from jupyterhub_imagebuilder.registry.credentials import Credentials, CredentialsSource
from jupyterhub_imagebuilder.registry.tokens import Tokens, basic, denied
from jupyterhub_imagebuilder.registry.transport import Answer, Transport

#: Challenges that are remembered, one per repository: each saves a request.
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the registry, before any credentials."""

    method: str
    url: URL
    space: str  #: the repository, or empty: where the same challenge is expected again
    headers: Mapping[str, str] = field(default_factory=dict)


class Authenticated:
    """Sends requests to one registry and proves who we are where it asks for that.

    :param host: the registry's name, for the sentences.
    """

    def __init__(
        self, host: str, transport: Transport, tokens: Tokens, source: CredentialsSource
    ) -> None:
        self._host = host
        self._transport = transport
        self._tokens = tokens
        self._source = source
        self._challenges: dict[str, Challenge] = {}

    async def send(self, request: Request) -> Answer:
        """Send the request; with renewed credentials once more if the first ones are refused.

        A 401 that comes back has one meaning: for our credentials a fresh token was granted,
        and it does not cover this request.

        :raises RegistryDenied: the credentials are refused, or there are none.
        :raises RegistryUnavailable: no answer.
        """
        credentials = await self._source.get()
        answer: Answer | None = None
        refusal: RegistryDenied | None = None
        try:
            answer = await self._send_as(request, credentials)
            if answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                return answer
        except RegistryDenied as error:
            refusal = error
        renewed = await self._source.renew()
        if renewed != credentials:
            return await self._send_as(request, renewed)
        if answer is None:
            raise refusal or denied(self._host)
        return answer

    async def _send_as(self, request: Request, credentials: Credentials | None) -> Answer:
        proof = None
        if challenge := self._challenges.get(request.space):
            proof = await self._proof(challenge, credentials, None)
        answer = await self._send_with(request, proof)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        challenge = self._choose(answer)
        self._remember(request.space, challenge)
        refused, proof = proof, await self._proof(challenge, credentials, proof)
        if proof != refused:
            # The same again would only count as another failed login.
            answer = await self._send_with(request, proof)
        if answer.status == HTTPStatus.UNAUTHORIZED and not self._too_narrow(answer, credentials):
            raise self._no_password() if credentials is None else denied(self._host)
        return answer

    async def _send_with(self, request: Request, proof: str | None) -> Answer:
        headers = dict(request.headers)
        if proof:
            headers["Authorization"] = proof
        return await self._transport.send(request.method, request.url, headers=headers)

    def _choose(self, answer: Answer) -> Challenge:
        challenges = parse_challenges(answer.headers.getall("WWW-Authenticate", []))
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                if challenge.scheme == scheme:
                    return challenge
        raise RegistryDenied(
            f"The registry {self._host} asks for a kind of login that the image builder does not "
            "know; please tell the administrator of this hub."
        )

    async def _proof(
        self, challenge: Challenge, credentials: Credentials | None, refused: str | None
    ) -> str:
        """The ``Authorization`` header's value that answers the challenge."""
        if challenge.scheme == "bearer":
            if credentials and credentials.registry_token:
                return f"Bearer {credentials.registry_token}"
            stale = refused.removeprefix("Bearer ") if refused else None
            return f"Bearer {await self._tokens.get(challenge, credentials, refused=stale)}"
        if credentials is None or not credentials.password:
            raise self._no_password()
        return basic(credentials)

    def _no_password(self) -> RegistryDenied:
        return RegistryDenied(
            f"The registry {self._host} asks for a password, and the image builder has none "
            "for it; please tell the administrator of this hub."
        )

    def _too_narrow(self, answer: Answer, credentials: Credentials | None) -> bool:
        """Whether a token was accepted as such, and only did not cover the request.

        Docker Hub and quay say that of repositories that do not exist.  Without credentials it
        is what a private image looks like.
        """
        if credentials is None or credentials.registry_token:
            return False
        challenge = self._choose(answer)
        error = challenge.params.get("error", "insufficient_scope")
        return challenge.scheme == "bearer" and error == "insufficient_scope"

    def _remember(self, space: str, challenge: Challenge) -> None:
        self._challenges[space] = challenge
        if len(self._challenges) > _REMEMBERED:
            del self._challenges[next(iter(self._challenges))]
