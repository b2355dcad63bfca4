"""A registry on 127.0.0.1 that speaks the dialect it is told."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from jupyterhub_imagebuilder.builds.model import ImageName

from .dialects import OK, Dialect

OCI = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Asked:
    """A request that the box has seen."""

    line: str  #: method and path with its query
    authorization: str


@dataclass
class Box:
    dialect: Dialect
    #: of each repository that exists, the digest of each tag
    repositories: dict[str, dict[str, str]] = field(default_factory=dict)
    page: int = 2  #: tags of one page, at most
    asked: list[Asked] = field(default_factory=list)
    expired: bool = False  #: the password is not taken any more, as ECR says it
    address: str = ""

    def __post_init__(self) -> None:
        self.password = self.dialect.password
        self._tokens: dict[str, str] = {}
        self._manifests: dict[str, bytes] = {}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", self.dialect.realm, self._token)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)
        await self.server.start_server()
        self.address = f"127.0.0.1:{self.server.port}"

    async def stop(self) -> None:
        await self.server.close()

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    def config_json(self, *, wrong: bool = False) -> bytes:
        """What ``docker login`` leaves."""
        dialect = self.dialect
        if dialect.identity_token:
            entry = {"identitytoken": "wrong" if wrong else dialect.identity_token}
        else:
            entry = {"auth": _base64(f"{dialect.user}:{'wrong' if wrong else self.password}")}
        key = "https://index.docker.io/v1/" if dialect.host == "docker.io" else dialect.host
        return json.dumps({"auths": {key: entry}}).encode()

    def push(self, tag: str = "1", content: str = "", repository: str = "") -> ImageName:
        """Put an image; the same content has the same digest."""
        repository = repository or self.dialect.repository
        if not self.dialect.creates and repository not in self.repositories:
            raise LookupError(repository)
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI, "of": content or tag}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._manifests[digest] = body
        self.repositories.setdefault(repository, {})[tag] = digest
        return ImageName(self.dialect.host, repository, tag)

    def digest(self, image: ImageName) -> str | None:
        return self.repositories.get(image.repository, {}).get(image.tag)

    # -- what it answers --------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._see(request)
        repository, kind, rest = _split(request.path)
        if refusal := self._refusal(request, repository):
            return refusal
        if not kind:
            return web.json_response({})
        if repository not in self.repositories:
            return _error(404, "NAME_UNKNOWN")
        tags = self.repositories[repository]
        if kind == "tags":
            return self._list(request, repository, sorted(tags))
        if request.method == "DELETE":
            return self._delete(tags, rest)
        return self._manifest(tags, rest)

    def _manifest(self, tags: dict[str, str], reference: str) -> web.Response:
        digest = reference if reference.startswith("sha256:") else tags.get(reference)
        if digest is None or digest not in tags.values():
            return _error(404, "MANIFEST_UNKNOWN")
        headers = {"Docker-Content-Digest": digest, **self.dialect.headers}
        return web.Response(body=self._manifests[digest], content_type=OCI, headers=headers)

    def _list(self, request: web.Request, repository: str, tags: list[str]) -> web.Response:
        size = min(self.page, int(request.query.get("n", self.page)))
        left = [tag for tag in tags if tag > request.query.get("last", "")]
        headers = {}
        if len(left) > size:
            path = f"/v2/{repository}/tags/list?n={size}&last={left[size - 1]}"
            start = f"http://{self.address}" if self.dialect.absolute_links else ""
            headers["Link"] = f'<{start}{path}>; rel="next"'
        return web.json_response({"name": repository, "tags": left[:size]}, headers=headers)

    def _delete(self, tags: dict[str, str], reference: str) -> web.Response:
        by_digest = reference.startswith("sha256:")
        status = self.dialect.delete_digest if by_digest else self.dialect.delete_tag
        if status != OK:
            return _error(status, "DENIED" if status == 403 else "UNSUPPORTED")
        gone = [tag for tag, digest in tags.items() if reference in (tag, digest)]
        for tag in gone:
            del tags[tag]
        return web.Response(status=202) if gone else _error(404, "MANIFEST_UNKNOWN")

    # -- who may ----------------------------------------------------------------------------------

    def _refusal(self, request: web.Request, repository: str) -> web.Response | None:
        authorization = request.headers.get("Authorization", "")
        dialect = self.dialect
        if dialect.login == "basic":
            if self._basic_fits(authorization):
                return _error(403, "DENIED") if self.expired else None
            challenge = f'Basic realm="http://{self.address}/",service="{dialect.service}"'
            return _error(401, "UNAUTHORIZED", challenge)
        action = dialect.delete_action if request.method == "DELETE" else "pull"
        scope = f"repository:{repository}:{action}" if repository else ""
        granted = self._tokens.get(authorization.removeprefix("Bearer "))
        hidden = dialect.absent_repository == 401 and repository not in self.repositories
        if granted == scope and not (hidden and repository):
            return None
        challenge = f'Bearer realm="http://{self.address}{dialect.realm}"'
        challenge += f',service="{dialect.service}"' + (f',scope="{scope}"' if scope else "")
        if granted is not None and dialect.names_error:
            challenge += ',error="insufficient_scope"'
        return _error(401, "UNAUTHORIZED", challenge)

    async def _token(self, request: web.Request) -> web.Response:
        self._see(request)
        form = await request.post()
        dialect = self.dialect
        if dialect.identity_token:
            fits = form.get("refresh_token") == dialect.identity_token
            scope, service = form.get("scope", ""), form.get("service")
        else:
            fits = self._basic_fits(request.headers.get("Authorization", ""))
            scope, service = request.query.get("scope", ""), request.query.get("service")
        if not fits or service != dialect.service:
            return _error(dialect.wrong_password, "DENIED")
        token = f"token-{len(self._tokens)}"
        self._tokens[token] = str(scope)
        answer = dict.fromkeys(dialect.token_names, token)
        if dialect.expires_in is not None:
            answer["expires_in"] = dialect.expires_in
        return web.json_response(answer)

    def _basic_fits(self, authorization: str) -> bool:
        return authorization == "Basic " + _base64(f"{self.dialect.user}:{self.password}")

    def _see(self, request: web.Request) -> None:
        line = f"{request.method} {request.rel_url.raw_path_qs}"
        self.asked.append(Asked(line, request.headers.get("Authorization", "")))


def _split(path: str) -> tuple[str, str, str]:
    for kind in ("manifests", "tags"):
        repository, found, rest = path.removeprefix("/v2/").rpartition(f"/{kind}/")
        if found:
            return repository, kind, rest
    return "", "", ""


def _error(status: int, code: str, challenge: str = "") -> web.Response:
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    return web.json_response({"errors": [{"code": code}]}, status=status, headers=headers)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
