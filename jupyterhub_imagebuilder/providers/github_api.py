"""The one question that is put to GitHub's REST API: which commit a ref means.

Source of the format: GitHub's documentation of "Get a commit" with the media type ``sha``, and of
its rate limits.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

import aiohttp
from yarl import URL

from jupyterhub_imagebuilder.errors import ImageBuilderError, ProviderUnavailable, RefNotFound

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CACHE_SIZE = 1024
#: Enough for a commit id, and for the sentence of an error.
_BODY_LIMIT = 4096
_MAX_REDIRECTS = 3


class _Known(NamedTuple):
    etag: str
    commit: str


class Answer(NamedTuple):
    """What GitHub said."""

    status: int
    headers: Mapping[str, str]  #: in any case
    body: str


@dataclass(slots=True)
class GitHubApi:
    """Client of the API; :meth:`close` ends its connections.

    :param url: where the API is, ``https://api.github.com``.
    :param timeout: seconds for one answer.
    :param token: returns the token to use, or None.
    """

    url: str
    timeout: float
    token: Callable[[], str | None]
    now: Callable[[], float] = time.time  #: seconds since the epoch
    _session: aiohttp.ClientSession | None = None
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict)

    async def commit(self, org: str, repo: str, ref: str) -> str:
        """The full id of the commit that the ref means in ``org/repo``.

        :raises RefNotFound: GitHub knows no such repository or ref, or does not show it.
        :raises ProviderUnavailable: GitHub does not answer, refuses the token, or has had enough
            requests of us.
        """
        parts = [self.url.rstrip("/"), "repos", quote(org), quote(repo), "commits"]
        url = "/".join([*parts, quote(ref, safe="")])
        try:
            return await self._get(url, f"{org}/{repo}", ref)
        except (aiohttp.ClientError, TimeoutError) as error:
            host = URL(self.url).host
            raise ProviderUnavailable(f"The host {host} does not answer.") from error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _get(self, url: str, name: str, ref: str) -> str:
        known = self._known.get(url)
        headers = self._headers()
        if known is not None:
            headers["If-None-Match"] = known.etag
        # "encoded": the ref's slashes are data here, not parts of the path.
        async with self._client().get(
            URL(url, encoded=True), headers=headers, max_redirects=_MAX_REDIRECTS
        ) as response:
            answer = Answer(response.status, response.headers, await _text(response.content))
        if answer.status == HTTPStatus.NOT_MODIFIED and known is not None:
            self._known.move_to_end(url)
            return known.commit
        if answer.status != HTTPStatus.OK:
            raise explain(answer, name, ref, self.now())
        commit = answer.body.strip()
        if not _COMMIT.fullmatch(commit):
            raise ProviderUnavailable("GitHub's answer names no commit: try again later.")
        self._remember(url, answer.headers.get("ETag"), commit)
        return commit

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/vnd.github.sha",
            "User-Agent": "jupyterhub-imagebuilder",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        token = self.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # trust_env: hubs sit behind proxies.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.timeout), trust_env=True
            )
        return self._session

    def _remember(self, url: str, etag: str | None, commit: str) -> None:
        if etag is None:
            self._known.pop(url, None)
            return
        self._known[url] = _Known(etag, commit)
        self._known.move_to_end(url)
        while len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)


def minutes_to_wait(headers: Mapping[str, str], now: float) -> int:
    """Minutes until GitHub takes requests again, at least one.

    :param headers: of its refusal: ``Retry-After`` in seconds, or ``X-RateLimit-Reset`` in seconds
        since the epoch.
    """
    for name, start in (("Retry-After", 0.0), ("X-RateLimit-Reset", now)):
        text = headers.get(name, "")
        if text.isascii() and text.isdigit():
            return max(1, math.ceil((int(text) - start) / 60))
    return 1


def explain(answer: Answer, name: str, ref: str, now: float) -> ImageBuilderError:
    """Say what an answer without a commit means for the user.

    :param name: ``org/repo``.
    :param now: seconds since the epoch.
    """
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            return ProviderUnavailable(
                "GitHub refuses the token of this hub's image builder: "
                "its administrator has to renew it."
            )
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.FORBIDDEN if _is_rate_limit(answer):
            minutes = minutes_to_wait(answer.headers, now)
            unit = "minute" if minutes == 1 else "minutes"
            return ProviderUnavailable(
                f"GitHub takes no more requests of this hub for now: try again in {minutes} {unit}."
            )
        case HTTPStatus.CONFLICT | HTTPStatus.UNPROCESSABLE_ENTITY:  # empty repository, no commit
            return RefNotFound(
                f"There is no branch, tag or commit {ref} in the GitHub repository {name}."
            )
        case (
            HTTPStatus.FORBIDDEN
            | HTTPStatus.NOT_FOUND
            | HTTPStatus.GONE
            | HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
        ):
            return RefNotFound(f"The GitHub repository {name} does not exist or is private.")
        case status:
            return ProviderUnavailable(f"GitHub does not answer: it reports error {status}.")


def _is_rate_limit(answer: Answer) -> bool:
    """Tell GitHub's limits, of which the second kind says so in words only, from a closed door."""
    return (
        answer.status == HTTPStatus.TOO_MANY_REQUESTS
        or answer.headers.get("X-RateLimit-Remaining") == "0"
        or "Retry-After" in answer.headers
        or "rate limit" in answer.body.lower()
    )


async def _text(stream: aiohttp.StreamReader) -> str:
    """The body, at most the part of it that can matter."""
    kept = bytearray()
    while len(kept) < _BODY_LIMIT and (chunk := await stream.read(_BODY_LIMIT)):
        kept += chunk
    return kept[:_BODY_LIMIT].decode(errors="replace")
