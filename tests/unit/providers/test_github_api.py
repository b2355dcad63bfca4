from __future__ import annotations

import pytest
from multidict import CIMultiDict

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers.github_api import Answer, explain, minutes_to_wait

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({"retry-after": "60"}, 1),
        ({"Retry-After": "61"}, 2),
        ({"X-RateLimit-Reset": str(int(NOW) + 1800)}, 30),
        ({"X-RateLimit-Reset": str(int(NOW) - 5)}, 1),
        ({"Retry-After": "300", "X-RateLimit-Reset": str(int(NOW) + 1800)}, 5),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1),
        ({}, 1),
    ],
)
def test_minutes_to_wait(headers, minutes):
    assert minutes_to_wait(CIMultiDict(headers), NOW) == minutes


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "words"),
    [
        (401, {}, "Bad credentials", ProviderUnavailable, "refuses the token"),
        (403, {"X-RateLimit-Remaining": "0"}, "", ProviderUnavailable, "again in 1 minute."),
        (403, {"Retry-After": "600"}, "", ProviderUnavailable, "again in 10 minutes."),
        (403, {}, "You have exceeded a secondary rate limit", ProviderUnavailable, "1 minute."),
        (429, {}, "", ProviderUnavailable, "1 minute."),
        (
            403,
            {"X-RateLimit-Remaining": "9"},
            "Blocked",
            RefNotFound,
            "does not exist or is private",
        ),
        (404, {}, "", RefNotFound, "org/repo does not exist or is private"),
        (451, {}, "", RefNotFound, "does not exist or is private"),
        (422, {}, "", RefNotFound, "no branch, tag or commit v9"),
        (409, {}, "", RefNotFound, "no branch, tag or commit v9"),
        (500, {}, "", ProviderUnavailable, "error 500"),
        (418, {}, "", ProviderUnavailable, "error 418"),
    ],
)
def test_what_answers_mean(status, headers, body, kind, words):
    error = explain(Answer(status, CIMultiDict(headers), body), "org/repo", "v9", NOW)
    assert type(error) is kind
    assert words in error.message
