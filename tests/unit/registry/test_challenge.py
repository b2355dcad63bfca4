from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.registry.challenge import Challenge, parse_challenges


def test_bearer_with_quoted_commas():
    header = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:a/b:pull,push"'
    )
    assert parse_challenges([header]) == [
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:a/b:pull,push",
            },
        )
    ]


def test_several_challenges_in_one_header():
    header = (
        'Negotiate, Newauth realm="apps", type=1, title="Log in to \\"apps\\"", Basic realm="x"'
    )
    assert parse_challenges([header]) == [
        Challenge("negotiate", {}),
        Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Log in to "apps"'}),
        Challenge("basic", {"realm": "x"}),
    ]


def test_several_headers_keep_their_order():
    assert [c.scheme for c in parse_challenges(['Basic realm="a"', "BEARER Realm=b"])] == [
        "basic",
        "bearer",
    ]


def test_token68_is_no_parameter():
    assert parse_challenges(["Negotiate YII=, Basic realm=x"]) == [
        Challenge("negotiate", {}),
        Challenge("basic", {"realm": "x"}),
    ]


def test_spaces_around_equals_and_url_without_quotes():
    assert parse_challenges(["Bearer realm = https://x.example/token ,service=y"]) == [
        Challenge("bearer", {"realm": "https://x.example/token", "service": "y"})
    ]


def test_first_of_two_equal_parameters_counts():
    header = 'Bearer realm="https://a.example", realm="https://b.example"'
    assert parse_challenges([header])[0].params == {"realm": "https://a.example"}


@pytest.mark.parametrize("header", ["", ",, ,", '="x"', 'realm="x"', "\x00", '"'])
def test_nonsense_is_no_challenge(header):
    assert parse_challenges([header]) == []


def test_what_stood_before_nonsense_counts():
    assert parse_challenges(['Basic realm="x", {"']) == [Challenge("basic", {"realm": "x"})]


def test_long_unclosed_quote_ends_quickly():
    assert parse_challenges(['Basic realm="' + "\\a" * 4000]) == [Challenge("basic", {})]
