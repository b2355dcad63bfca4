"""What all handlers share: who asks, JSON in and out, errors as a reason and a sentence."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError, RequestHandler

from jupyterhub_imagebuilder.errors import (
    AuthenticationRequired,
    ImageBuilderError,
    Reason,
    ServiceUnavailable,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.auth import Principal
from jupyterhub_imagebuilder.web.cors import CrossOrigin

if TYPE_CHECKING:
    from jupyterhub_imagebuilder.builds.service import BuildService
    from jupyterhub_imagebuilder.health import Health
    from jupyterhub_imagebuilder.web.auth import Authenticator
    from jupyterhub_imagebuilder.web.hub_site import HubSite
    from jupyterhub_imagebuilder.web.session import Sessions
    from jupyterhub_imagebuilder.web.sse import Streams

log = logging.getLogger(__name__)

#: Bytes of a request's body.
BODY_LIMIT = 64 * 1024

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body of the request is larger than 64 KiB.",
}


@dataclass
class Backend:
    """What handlers work with."""

    authenticator: Authenticator
    streams: Streams
    health: Health
    versions: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes] = bytes  #: the text that ``/metrics`` answers with
    authenticate_metrics: bool = True  #: whether that needs a token
    token_in_url: bool = True  #: whether ``GET /build`` takes a token from the query
    cors: CrossOrigin = field(default_factory=CrossOrigin)  #: which pages may use the API
    site: HubSite | None = None  #: the hub, where there is one
    sessions: Sessions | None = None  #: logins of browsers; None where there is no hub
    builds: BuildService | None = None  #: None until the domain has started
    obstacle: str = "The image builder is starting; try again in a moment."  #: why it is None

    def ready(self) -> BuildService:
        """The domain.

        :raises ServiceUnavailable: it has not started yet.
        """
        if self.builds is None:
            raise ServiceUnavailable(self.obstacle)
        return self.builds


class Handler(RequestHandler):
    """Base of all handlers."""

    def initialize(self, backend: Backend) -> None:
        """Take what the application hands to its handlers."""
        self.backend = backend

    def set_default_headers(self) -> None:
        """Answers are data for programs: not to be cached, guessed at, framed or run."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Referrer-Policy", "no-referrer")
        # tornado comes here before initialize()
        cors: CrossOrigin = self.settings["cors"]
        for name, value in cors.headers(self.request.headers.get("Origin")).items():
            self.set_header(name, value)

    def check_xsrf_cookie(self) -> None:
        """Nothing to check here: :meth:`principal` does, where it takes a cookie."""

    def compute_etag(self) -> None:
        """Nothing here may be cached, so nothing is compared."""

    def prepare(self) -> None:
        """Answer a browser that asks on behalf of a page; refuse bodies that nobody needs."""
        if self.request.method == "OPTIONS":
            self._answer_preflight()
            return
        if len(self.request.body or b"") > BODY_LIMIT:
            raise HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _answer_preflight(self) -> None:
        """Finish, unless no other origin may use the API: then it is a method of nobody."""
        headers = self.backend.cors.preflight(self.request.headers.get("Origin"))
        if headers:
            for name, value in headers.items():
                self.set_header(name, value)
            self.set_status(HTTPStatus.NO_CONTENT)
            self.clear_header("Content-Type")
            self.finish()

    async def principal(self) -> Principal:
        """Who sent the request; raises as :meth:`Authenticator.principal` does.

        Where there is no token, a login counts at the addresses that the service's own pages use.
        """
        authorization = self.request.headers.get("Authorization")
        sessions = self.backend.sessions
        if authorization is None and sessions is not None and self._is_of_the_api():
            owner = await sessions.caller(self)
            if owner is not None:
                return Principal(owner)
        return await self.backend.authenticator.principal(authorization)

    def _is_of_the_api(self) -> bool:
        prefix: str = self.settings["prefix"]
        return bool(self.request.path.startswith(f"{prefix}api/"))

    def json_body(self, *, required: set[str], optional: set[str]) -> dict[str, Any]:
        """The body: an object with these keys.

        :raises SpecInvalid: it is something else; the message says what is wrong.
        """
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError) as error:
            raise SpecInvalid("The body of the request is not JSON.") from error
        if not isinstance(body, dict):
            raise SpecInvalid("The body of the request has to be a JSON object.")
        if missing := sorted(required - body.keys()):
            raise SpecInvalid(f"The body of the request lacks {', '.join(missing)}.")
        # a misspelt option must not be taken for one that was left out
        if unknown := sorted(body.keys() - required - optional):
            raise SpecInvalid(
                f"The body of the request has unknown keys: {', '.join(unknown)[:200]}."
            )
        return body

    def answer(self, document: Mapping[str, Any], status: int = HTTPStatus.OK) -> None:
        """Send JSON."""
        self.set_status(status)
        self.write(json.dumps(document))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send a failure as a reason and a sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        status_code, reason, message = self.failure(status_code, error)
        self.answer({"reason": reason, "message": message}, status_code)

    def failure(self, status_code: int, error: BaseException | None) -> tuple[int, str | None, str]:
        """Status, reason and sentence of a failure; sets the headers that go with them."""
        reason: str | None = None
        if isinstance(error, ImageBuilderError):
            status_code, reason, message = error.status, error.reason.value, error.message
        elif status_code in _SENTENCES:
            message = _SENTENCES[HTTPStatus(status_code)]
        elif status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            message = "The request is not understood."
        else:
            reason = Reason.INTERNAL.value
            message = "The image builder made a mistake; its log says more."
        if isinstance(error, AuthenticationRequired):
            self.set_header("WWW-Authenticate", "Bearer")
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(methods_of(type(self))).upper())
        if isinstance(error, ImageBuilderError) and error.retry_after is not None:
            self.set_header("Retry-After", str(math.ceil(error.retry_after)))
        elif isinstance(error, ServiceUnavailable):
            self.set_header("Retry-After", "1")
        return status_code, reason, message

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Keep refusals out of the log, and queries always."""
        if isinstance(value, HTTPError | ImageBuilderError):
            log.debug("%s %s: %s", self.request.method, type(value).__name__, value)
        elif typ is not None:
            log.error("a handler failed", exc_info=(typ, value, tb))  # type: ignore[arg-type]


def methods_of(handler: type[RequestHandler]) -> list[str]:
    """The methods that a handler answers, in small letters.

    OPTIONS is none of them: browsers ask it, and every address answers it in the same way.
    """
    return [m for m in _METHODS if getattr(handler, m) is not getattr(RequestHandler, m)]
