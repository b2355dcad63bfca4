"""Registries that want to be asked less often."""

from __future__ import annotations

import email.utils

import pytest
from multidict import CIMultiDict
from yarl import URL

from jupyterhub_imagebuilder.errors import RegistryUnavailable
from jupyterhub_imagebuilder.registry.failures import Busy
from jupyterhub_imagebuilder.registry.pace import Pace

HOST = "docker.io"
HERE = URL("https://registry.example.org/v2/")
ELSEWHERE = URL("https://auth.example.org/token")


@pytest.fixture
def pace(clock):
    return Pace(HOST, clock)


def test_429_that_does_not_say_for_how_long(pace):
    with pytest.raises(Busy, match="in a few minutes") as caught:
        pace.note(HERE, 429, CIMultiDict())
    assert caught.value.wait == 0
    assert pace.admit(HERE) is None


@pytest.mark.parametrize(
    ("value", "seconds", "words"),
    [("30", 30, "in 1 minute;|in 1 minute\\."), (" 61 ", 61, "2 minutes"), ("999999", 900, "15 m")],
)
def test_server_is_left_alone_for_as_long_as_it_says(pace, clock, value, seconds, words):
    with pytest.raises(Busy, match=words):
        pace.note(HERE, 429, CIMultiDict({"retry-after": value}))
    clock.time += seconds - 1
    with pytest.raises(Busy, match=HOST):
        pace.admit(HERE)
    assert pace.admit(ELSEWHERE) is None
    clock.time += 1
    assert pace.admit(HERE) is None


def test_date_to_come_back_at(pace, clock):
    date = email.utils.formatdate(clock.now() + 120, usegmt=True)
    with pytest.raises(Busy, match="2 minutes"):
        pace.note(HERE, 503, CIMultiDict({"Retry-After": date}))


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "Thu, 99 Foo", "1" * 30])
def test_nonsense_says_nothing(pace, value):
    with pytest.raises(Busy) as caught:
        pace.note(HERE, 429, CIMultiDict({"Retry-After": value}))
    assert caught.value.wait == 0


def test_503_without_a_time_and_good_answers_are_not_of_the_pace(pace):
    assert pace.note(HERE, 503, CIMultiDict()) is None
    assert pace.note(HERE, 200, CIMultiDict({"Retry-After": "30"})) is None
    assert pace.admit(HERE) is None


def test_warning_before_the_limit_is_reached(pace, clock, caplog):
    def say(left):
        headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": f"{left};w=21600"}
        pace.note(HERE, 200, CIMultiDict(headers))

    say(11)
    assert caplog.text == ""
    say(10)
    say(9)
    assert [record.getMessage() for record in caplog.records] == [
        "The registry docker.io takes only 10 more of 100 requests for now"
    ]
    clock.time += 3600
    say(3)
    assert len(caplog.records) == 2


async def test_limit_costs_one_request_and_no_wait(start_stub, make_client, clock):
    stub = await start_stub()
    image, _ = stub.put()
    client = make_client(stub)

    def limited(request, *rest):
        answer = real_manifest(request, *rest)
        answer.set_status(429)
        answer.headers["Retry-After"] = "600"
        return answer

    real_manifest, stub._manifest = stub._manifest, limited
    for _ in range(3):
        with pytest.raises(RegistryUnavailable, match="in 10 minutes"):
            await client.digest(image)
    assert stub.lines == ["HEAD /v2/team/app/manifests/1"]
    assert clock.slept == []


async def test_short_wait_is_waited_for(start_stub, make_client, clock):
    stub = await start_stub()
    image, digest = stub.put()
    real_manifest = stub._manifest

    def limited(request, *rest):
        answer = real_manifest(request, *rest)
        if len(stub.seen) == 1:
            answer.set_status(429)
            answer.headers["Retry-After"] = "2"
        return answer

    stub._manifest = limited
    assert await make_client(stub).digest(image) == digest
    assert clock.slept == [2.0]
