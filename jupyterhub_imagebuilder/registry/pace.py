"""How often a registry wants to be asked, as far as it says.

``Retry-After`` is that of RFC 9110 (10.2.3).  ``RateLimit-Limit`` and ``RateLimit-Remaining`` are
Docker Hub's (https://docs.docker.com/docker-hub/usage/pulls/): ``100;w=21600`` is a hundred in six
hours.
"""

from __future__ import annotations

import email.utils
import logging
import math
import re
from collections.abc import Mapping
from http import HTTPStatus

from yarl import URL

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.registry.failures import Busy

log = logging.getLogger(__name__)

#: Seconds that we keep away at most, whatever the registry says: a limit can be lifted before.
_LONGEST = 900.0
#: Seconds between two warnings that the limit comes near.
_BETWEEN_WARNINGS = 3600.0
#: The share of the limit below which somebody should know.
_LOW = 0.1

_NUMBER = re.compile(r"\s*(\d{1,9})\b")


class Pace:
    """Keeps away from a server for as long as it wants to be left alone.

    :param host: the registry's name, for the sentences.
    """

    def __init__(self, host: str, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._until: dict[str, float] = {}
        self._warned = float("-inf")

    def admit(self, url: URL) -> None:
        """Return when the server may be asked.

        :raises Busy: it may not be asked yet.
        """
        wait = self._until.get(url.authority, 0.0) - self._clock.now()
        if wait > 0:
            raise self._busy(wait)

    def note(self, url: URL, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer.

        :raises Busy: the answer says 429, or says 503 and when to come back.
        """
        self._warn_early(headers)
        wait = min(_retry_after(headers.get("Retry-After", ""), self._clock.now()), _LONGEST)
        if wait and status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            self._until[url.authority] = self._clock.now() + wait
            raise self._busy(wait)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._busy(0.0)

    def _busy(self, wait: float) -> Busy:
        minutes = math.ceil(wait / 60)
        when = "a few minutes" if not wait else f"{minutes} minute{'s' * (minutes > 1)}"
        return Busy(
            f"The registry {self._host} takes no more requests for the moment; "
            f"please try again in {when}.",
            wait,
        )

    def _warn_early(self, headers: Mapping[str, str]) -> None:
        limit = _NUMBER.match(headers.get("RateLimit-Limit", ""))
        left = _NUMBER.match(headers.get("RateLimit-Remaining", ""))
        if not limit or not left or int(left[1]) > _LOW * int(limit[1]):
            return
        if self._clock.now() - self._warned >= _BETWEEN_WARNINGS:
            self._warned = self._clock.now()
            log.warning(
                "The registry %s takes only %s more of %s requests for now",
                self._host,
                left[1],
                limit[1],
            )


def _retry_after(value: str, now: float) -> float:
    """Seconds from a header that has a number or a date; 0 where it says nothing."""
    if number := re.fullmatch(r"\s*(\d{1,9})\s*", value):
        return float(number[1])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
