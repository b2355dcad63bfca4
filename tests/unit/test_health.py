from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import ExecutorUnavailable, StoreUnavailable
from jupyterhub_imagebuilder.health import Check, Health
from jupyterhub_imagebuilder.web.documents import health_document
from tests.unit.web.support import FakeClock, turns


class Part:
    def __init__(self):
        self.asked = 0
        self.error = None
        self.answer = asyncio.Event()
        self.answer.set()

    async def __call__(self):
        self.asked += 1
        await self.answer.wait()
        if self.error:
            raise self.error


@pytest.fixture
async def clock():
    return FakeClock()


@pytest.fixture
async def health(clock):
    health = Health(clock=clock, ttl=15.0, timeout=0.02)
    yield health
    await health.close()


async def test_answers_hold_for_15_seconds(health, clock):
    part = Part()
    health.watch({"a": part})
    assert (await health.report()).ok
    part.error = ExecutorUnavailable("Kubernetes does not answer.")
    await clock.advance(14.9)
    assert (await health.report()).ok
    await clock.advance(0.2)
    report = await health.report()
    assert not report.ok
    assert report.checks == (Check("a", ok=False, message="Kubernetes does not answer."),)
    assert part.asked == 2


async def test_all_are_asked_at_once_and_callers_share_a_round(health):
    parts = {"a": Part(), "b": Part()}
    for part in parts.values():
        part.answer.clear()
    health.watch(parts)
    callers = [asyncio.create_task(health.report()) for _ in range(3)]
    await turns()
    assert [part.asked for part in parts.values()] == [1, 1]
    callers[0].cancel()
    for part in parts.values():
        part.answer.set()
    assert (await callers[1]).ok
    assert (await callers[2]).ok


async def test_a_part_that_does_not_answer_is_not_waited_for(health):
    slow = Part()
    slow.answer.clear()
    health.watch({"slow": slow, "well": Part()})
    report = await health.report()
    assert [check.ok for check in report.checks] == [False, True]
    assert "0.02 seconds" in report.checks[0].message


async def test_a_check_that_is_broken_shows_nothing_of_itself(health, caplog):
    part = Part()
    part.error = LookupError("secret")
    health.watch({"a": part})
    assert "secret" not in (await health.report()).checks[0].message
    assert "LookupError" in caplog.text


async def test_new_parts_are_asked_at_once(health):
    health.watch({"a": Part()})
    await health.report()
    health.watch({"b": Part()})
    assert [check.name for check in (await health.report()).checks] == ["b"]


async def test_close_ends_a_round(health):
    part = Part()
    part.answer.clear()
    health.watch({"a": part})
    caller = asyncio.create_task(health.report())
    await turns()
    await health.close()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_part_that_builds_do_without_is_told_and_is_no_alarm(health):
    parts = {"executor": Part(), "store": Part()}
    parts["store"].error = StoreUnavailable("The database does not answer.")
    health.watch(parts, frozenset({"store"}))
    report = await health.report()
    assert report.ok
    assert health_document(report)["checks"] == [
        {"service": "executor", "ok": True},
        {
            "service": "store",
            "ok": False,
            "required": False,
            "message": "The database does not answer.",
        },
    ]
