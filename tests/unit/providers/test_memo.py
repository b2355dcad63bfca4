from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import RefNotFound, ServiceUnavailable
from jupyterhub_imagebuilder.providers import memo as module
from jupyterhub_imagebuilder.providers.memo import Memo


class Question:
    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return self.times


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def memo(clock):
    return Memo(10, now=lambda: clock[0])


async def test_an_answer_is_good_for_some_seconds(memo, clock):
    ask = Question()
    assert await memo.get("a", ask) == 1
    clock[0] += 9.9
    assert await memo.get("a", ask) == 1
    clock[0] += 0.1
    assert await memo.get("a", ask) == 2


async def test_those_who_ask_at_once_share_it(memo):
    ask = Question()
    assert await asyncio.gather(*(memo.get("a", ask) for _ in range(20))) == [1] * 20


async def test_without_seconds_nothing_is_kept():
    memo, ask = Memo(0), Question()
    assert await asyncio.gather(memo.get("a", ask), memo.get("a", ask)) == [1, 1]
    assert await memo.get("a", ask) == 2


async def test_what_is_too_old_is_not_kept(memo, clock):
    for key in "abc":
        await memo.get(key, Question())
        clock[0] += 4
    await memo.get("d", Question())
    assert list(memo._known) == ["b", "c", "d"]


async def test_errors_are_not_remembered(memo):
    ask = Question()
    ask.error = RefNotFound("gone")
    with pytest.raises(RefNotFound):
        await memo.get("a", ask)
    ask.error = None
    assert await memo.get("a", ask) == 2


async def test_the_oldest_go_when_there_are_too_many(memo, monkeypatch):
    monkeypatch.setattr(module, "SIZE", 2)
    ask = Question()
    for key in ("a", "b", "c"):
        await memo.get(key, ask)
    assert await memo.get("c", ask) == 3
    assert await memo.get("b", ask) == 2
    assert await memo.get("a", ask) == 4


async def test_closing_ends_what_is_under_way(memo):
    waiting = asyncio.create_task(memo.get("a", asyncio.Event().wait))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await memo.close()
    with pytest.raises(ServiceUnavailable):
        await waiting
