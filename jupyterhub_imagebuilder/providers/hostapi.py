"""A host's web API: answers in JSON, limits, a token that stays at home.

Sources of the limits' headers: RFC 9110 (Retry-After), GitHub's and GitLab's documentation of their
rate limits (X-RateLimit-Reset, RateLimit-Reset), and the IETF draft of the RateLimit header fields.
"""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from yarl import URL

from jupyterhub_imagebuilder.errors import ImageBuilderError, ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers.doorclient import MAX_REDIRECTS, Answer, DoorClient

__all__ = ["Answer", "HostApi", "TokenHeader", "bearer", "explain", "minutes_to_wait"]

#: A token -> name and value of the header that carries it.
TokenHeader = Callable[[str], tuple[str, str]]

#: Answers that are remembered with their ETag, and the longest of them in bytes.
REMEMBERED = 1024
_REMEMBERED_SIZE = 32 * 1024
#: Numbers above are seconds since the epoch, those below seconds to wait.
_AN_EPOCH = 1_000_000_000
_RESETS = ("X-RateLimit-Reset", "RateLimit-Reset")
_REMAINING = ("X-RateLimit-Remaining", "RateLimit-Remaining")
_WORDS_LIMIT = 4096


def bearer(token: str) -> tuple[str, str]:
    """RFC 6750, which most hosts take."""
    return "Authorization", f"Bearer {token}"


class HostApi:
    """Client of the web API of one host.

    :param client: does the requests.
    :param base_url: where the API is; paths are added to it.
    :param token: returns the token to use, or None; asked at each request.  It goes to no other
        host, port or protocol than the base's.
    :param header: the header that carries it.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        client: DoorClient,
        base_url: str,
        *,
        token: Callable[[], str | None] | None = None,
        header: TokenHeader = bearer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._text = base_url.rstrip("/")
        self._token = token
        self._header = header
        self._now = now
        self._known: OrderedDict[tuple[str, str], Answer] = OrderedDict()

    async def get(
        self,
        path_or_url: str,
        *,
        accept: str = "application/json",
        etag: bool = True,
        what: str | None = None,
        passing: Collection[int] = (),
        redirects: int = MAX_REDIRECTS,
    ) -> Answer:
        """GET what is there; the answer's status is 200 to 299, or a passing one.

        :param path_or_url: below the base, or a whole URL; percent-encoded already.
        :param etag: remember the answer, and ask only whether it changed.
        :param what: subject of the sentence that says it is not there, as "The record 12".
        :param passing: further statuses that are returned, not raised.
        :param redirects: how many are followed; with 0 a redirect is returned.
        :raises RefNotFound: it is not there, or not public.
        :raises SpecForbidden: the address, or one that it leads to, is blocked.
        :raises ProviderUnavailable: no answer, a limit, a token that is refused.
        """
        url = self._url(path_or_url)
        key = (str(url), accept)
        known = self._known.get(key) if etag else None
        extra = {"Accept": accept}
        if known is not None:
            extra["If-None-Match"] = known.headers["ETag"]
        token = self._token() if self._token else None
        answer = await self._client.get(
            url, lambda each: self._headers(each, extra, token), redirects=redirects
        )
        if answer.status == HTTPStatus.NOT_MODIFIED and known is not None:
            self._known.move_to_end(key)
            return known
        fine = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        moved = redirects == 0 and "Location" in answer.headers
        if not fine and not moved and answer.status not in passing:
            raise explain(answer, self._now(), what=what, token_sent=token is not None)
        if etag:
            self._remember(key, answer)
        return answer

    async def get_json(self, path_or_url: str, **options: Any) -> Any:
        """What :meth:`get` gives, read as JSON; its shape is the host's: believe nothing of it.

        :raises ProviderUnavailable: it is no JSON, whatever its Content-Type says.
        """
        answer = await self.get(path_or_url, **options)
        return read_json(answer)

    async def close(self) -> None:
        """Close the connections; they may be shared with other clients of the same provider."""
        await self._client.close()

    def _url(self, text: str) -> URL:
        whole = text if "://" in text else f"{self._text}/{text.lstrip('/')}"
        try:
            # "encoded": a slash that is a part of a name stays one.
            return URL(whole, encoded=True)
        except ValueError as error:
            raise ProviderUnavailable("The address of the repository's host is not valid.") from (
                error
            )

    def _headers(self, url: URL, extra: Mapping[str, str], token: str | None) -> dict[str, str]:
        headers = dict(extra)
        home = URL(self._text, encoded=True)
        at_home = (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
        if token and at_home:
            name, value = self._header(token)
            headers[name] = value
        return headers

    def _remember(self, key: tuple[str, str], answer: Answer) -> None:
        self._known.pop(key, None)
        if "ETag" not in answer.headers or len(answer.body) > _REMEMBERED_SIZE:
            return
        if answer.status != HTTPStatus.OK:
            return
        self._known[key] = answer
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def read_json(answer: Answer) -> Any:
    """The body as JSON.

    :raises ProviderUnavailable: it is none.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(
            f"The host {answer.url.host} answers with something that cannot be read: "
            "try again later."
        ) from error


def explain(
    answer: Answer, now: float, *, what: str | None = None, token_sent: bool = False
) -> ImageBuilderError:
    """Say what an answer that is no success means for the user.

    :param now: seconds since the epoch.
    :param what: subject of the sentence that says it is not there.
    """
    host = answer.url.host
    absent = RefNotFound(f"{what or f'What is asked for on {host}'} does not exist or is private.")
    match answer.status:
        case HTTPStatus.UNAUTHORIZED if token_sent:
            return ProviderUnavailable(
                f"The host {host} refuses the token of this hub's image builder: "
                "its administrator has to renew it."
            )
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.FORBIDDEN if _is_rate_limit(answer):
            minutes = minutes_to_wait(answer.headers, now)
            unit = "minute" if minutes == 1 else "minutes"
            return ProviderUnavailable(
                f"The host {host} takes no more requests of this hub for now: "
                f"try again in {minutes} {unit}."
            )
        case (
            HTTPStatus.UNAUTHORIZED
            | HTTPStatus.FORBIDDEN
            | HTTPStatus.NOT_FOUND
            | HTTPStatus.GONE
            | HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
        ):
            return absent
        case status:
            return ProviderUnavailable(
                f"The host {host} does not answer: it reports error {status}."
            )


def minutes_to_wait(headers: Mapping[str, str], now: float) -> int:
    """Minutes until the host takes requests again, at least one and at most a day's.

    :param headers: of its refusal, in any case.
    :param now: seconds since the epoch.
    """
    seconds = next(
        (
            each
            for each in (
                _seconds(headers.get("Retry-After", ""), now),
                *(_seconds(headers.get(name, ""), now) for name in _RESETS),
            )
            if each is not None
        ),
        0.0,
    )
    return min(24 * 60, max(1, math.ceil(seconds / 60)))


def _seconds(text: str, now: float) -> float | None:
    if text.isascii() and text.isdigit() and len(text) < len(str(_AN_EPOCH)) * 2:
        number = int(text)
        return number - now if number > _AN_EPOCH else number
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _is_rate_limit(answer: Answer) -> bool:
    """Tell a limit, which some hosts name in words only, from a closed door."""
    return (
        answer.status == HTTPStatus.TOO_MANY_REQUESTS
        or any(answer.headers.get(name) == "0" for name in _REMAINING)
        or "Retry-After" in answer.headers
        or b"rate limit" in answer.body[:_WORDS_LIMIT].lower()
    )
