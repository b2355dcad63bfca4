"""Requests that answer a registry's challenge with our credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from yarl import URL

from jupyterhub_imagebuilder.errors import RegistryDenied
from jupyterhub_imagebuilder.registry.challenge import Challenge, parse_challenges
from jupyterhub_imagebuilder.registry.credentials import Credentials, CredentialsSource
from jupyterhub_imagebuilder.registry.tokens import Tokens, basic, denied
from jupyterhub_imagebuilder.registry.transport import Answer, Transport

#: Challenges that are remembered, one per repository: each saves a request.
_REMEMBERED = 1000
#: ``repository:name:actions``; a name with a port has one more, and is not guessed from.
_SCOPE_PARTS = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the registry, before any credentials."""

    method: str
    url: URL
    repository: str = ""  #: empty: of the registry itself
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def space(self) -> tuple[str, bool]:
        """Where the same challenge is expected again: reading and writing differ."""
        return self.repository, self.reads

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method in ("GET", "HEAD")


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
        self._challenges: dict[tuple[str, bool], Challenge] = {}
        self._patterns: dict[bool, Challenge] = {}

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
        proof, began = None, self._tokens.now()
        if challenge := self._expected(request, credentials):
            proof = await self._proof(challenge, credentials, None)
        answer = await self._send_with(request, proof)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        challenge = self._choose(answer)
        self._remember(request, challenge)
        if proof is None or not self._as_good_as_any(challenge, proof, began):
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
        # the API's own root has to answer itself: what leads away from there is no registry
        reads = request.reads and request.repository
        send = self._transport.follow if reads else self._transport.send
        return await send(request.method, request.url, headers=headers)

    def _as_good_as_any(self, challenge: Challenge, proof: str, began: float) -> bool:
        """Whether the proof was made just now for what is asked: another would say the same."""
        narrow = challenge.params.get("error") == "insufficient_scope"
        token = proof.removeprefix("Bearer ")
        return narrow and self._tokens.granted_since(token, challenge, began)

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

    def _remember(self, request: Request, challenge: Challenge) -> None:
        self._challenges[request.space] = challenge
        if len(self._challenges) > _REMEMBERED:
            del self._challenges[next(iter(self._challenges))]
        scope = challenge.params.get("scope", "").split(":")
        ours = len(scope) == _SCOPE_PARTS and scope[:2] == ["repository", request.repository]
        if challenge.scheme == "basic":
            self._patterns = {True: challenge, False: challenge}
        elif ours:
            self._patterns[request.reads] = challenge

    def _expected(self, request: Request, credentials: Credentials | None) -> Challenge | None:
        """The challenge that is met without a proof; for a new repository as for others.

        That saves the first request about each repository.  A wrong guess is refused with the
        right challenge.
        """
        known = self._challenges.get(request.space)
        pattern = self._patterns.get(request.reads)
        if known or pattern is None or credentials is None or not request.repository:
            return known
        if pattern.scheme == "basic":
            return pattern
        actions = pattern.params["scope"].rpartition(":")[2]
        params = {k: v for k, v in pattern.params.items() if k not in ("error", "scope")}
        params["scope"] = f"repository:{request.repository}:{actions}"
        return replace(pattern, params=params)
