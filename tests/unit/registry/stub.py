"""A registry on 127.0.0.1 that behaves well or badly, as told; its login server included."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from jupyterhub_imagebuilder.builds.model import ImageName

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
USER, PASSWORD = "builder", "pass:word"


def manifest(media_type: str = OCI) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_type}).encode()


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def config_json(host: str, password: str = PASSWORD, **entry: str) -> bytes:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return json.dumps({"auths": {host: entry or {"auth": auth}}}).encode()


@dataclass
class Seen:
    method: str
    path: str
    authorization: str
    accept: str = ""
    form: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)


class StubRegistry:
    """:param login: ``basic``, ``bearer`` or None."""

    def __init__(self, login: str | None = None) -> None:
        self.login = login
        self.password = PASSWORD
        self.identity_token = "identity"
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.faults: list[int] = []  #: statuses of the next answers about manifests and /v2/
        self.token_faults: list[int] = []
        self.token_answer: str | None = None  #: instead of a proper one
        self.challenge: str | None = None  #: instead of a proper one
        self.expires_in: int | None = 300
        self.digest_header: str | None = "right"
        self.head_allowed = True
        self.hides_absent = False  #: as Docker Hub: an absent repository is out of scope
        self.hold: asyncio.Event | None = None  #: answers wait for it
        self.token_hold: asyncio.Event | None = None
        self.location = ""
        self.tokens: dict[str, str] = {}  #: granted token -> its scope
        self.seen: list[Seen] = []
        self.token_requests: list[Seen] = []
        self.root_fault: int | None = None  #: status of every answer about /v2/ itself
        self.server: TestServer | None = None
        self.host = ""
        self.arrived, self.token_arrived = asyncio.Event(), asyncio.Event()

    async def start(self, **server) -> None:
        app = web.Application()
        app.router.add_route("*", "/token", self._token)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)
        await self.server.start_server(**server)
        self.host = f"127.0.0.1:{self.server.port}"

    async def stop(self) -> None:
        for gate in (self.hold, self.token_hold):
            if gate:
                gate.set()
        await self.server.close()

    def put(self, repository="team/app", tag="1", media_type=OCI) -> tuple[ImageName, str]:
        body = manifest(media_type)
        self.manifests[repository, tag] = (media_type, body)
        return ImageName(self.host, repository, tag), digest_of(body)

    @property
    def lines(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen.append(
            Seen(
                request.method,
                request.rel_url.raw_path,
                request.headers.get("Authorization", ""),
                request.headers.get("Accept", ""),
            )
        )
        self.arrived.set()
        if self.hold:
            await self.hold.wait()
        if self.faults:
            return web.Response(status=self.faults.pop(0), headers={"Location": self.location})
        if self.root_fault and request.path == "/v2/":
            return web.Response(status=self.root_fault)
        repository, _, tag = request.path.removeprefix("/v2/").partition("/manifests/")
        refusal = self._refusal(request, repository)
        if refusal is not None:
            return web.Response(status=401, headers={"WWW-Authenticate": refusal})
        if request.path == "/v2/":
            return web.json_response({})
        return self._manifest(request, repository, tag)

    def _manifest(self, request: web.Request, repository: str, tag: str) -> web.Response:
        if request.method == "DELETE":
            gone = self.manifests.pop((repository, tag), None)
            return web.Response(status=202 if gone else 404)
        by_digest = {digest_of(each[1]): each for each in self.manifests.values()}
        media_type, body = self.manifests.get((repository, tag), by_digest.get(tag, ("", b"")))
        if media_type not in request.headers.get("Accept", "").split(", "):
            return web.Response(status=404)
        if request.method == "HEAD" and not self.head_allowed:
            return web.Response(status=405)
        headers = {}
        if self.digest_header:
            right = self.digest_header == "right"
            headers["Docker-Content-Digest"] = digest_of(body) if right else self.digest_header
        return web.Response(body=body, content_type=media_type, headers=headers)

    def _refusal(self, request: web.Request, repository: str) -> str | None:
        """The challenge for a request that is not authorised."""
        if self.login is None:
            return None
        authorization = request.headers.get("Authorization", "")
        if self.login == "basic":
            return (
                None if self._basic_fits(authorization) else (self.challenge or 'Basic realm="x"')
            )
        action = "delete" if request.method == "DELETE" else "pull"
        scope = f"repository:{repository}:{action}" if repository else ""
        granted = self.tokens.get(authorization.removeprefix("Bearer "))
        hidden = self.hides_absent and repository not in {r for r, _ in self.manifests}
        if granted == scope and not (hidden and repository):
            return None
        if self.challenge:
            return self.challenge
        error = ',error="insufficient_scope"' if granted is not None else ""
        asked = f',scope="{scope}"' if scope else ""
        return f'Bearer realm="http://{self.host}/token",service="stub"{asked}{error}'

    def _basic_fits(self, authorization: str) -> bool:
        return authorization == "Basic " + _base64(f"{USER}:{self.password}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        authorization = request.headers.get("Authorization", "")
        self.token_requests.append(
            Seen(
                request.method,
                request.path,
                authorization,
                form=form,
                query=list(request.query.items()),
            )
        )
        self.token_arrived.set()
        if self.token_hold:
            await self.token_hold.wait()
        if self.token_faults:
            return web.Response(status=self.token_faults.pop(0))
        fits = form.get("refresh_token") == self.identity_token or self._basic_fits(authorization)
        if not fits:
            return web.json_response({"details": "incorrect password"}, status=401)
        if self.token_answer is not None:
            return web.Response(text=self.token_answer)
        token = f"token-{len(self.token_requests)}"
        self.tokens[token] = form.get("scope", request.query.get("scope", ""))
        answer = {"access_token" if form else "token": token}
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        return web.json_response(answer)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
