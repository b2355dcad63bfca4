"""Tests that run in virtual time: no time is waited for, however long they take."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from tests.fakes.turns import TurnLoop

from .world import World


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Give the test a world in which one service runs; at the end nothing may be left of it."""

    async def play(**arguments: Any) -> None:
        world = World()
        await world.start()
        await test(world, **arguments)
        await world.finish()

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        with asyncio.Runner(loop_factory=TurnLoop) as runner:
            runner.run(play(**arguments))

    world, *others = inspect.signature(test).parameters.values()
    assert world.name == "world"
    run.__signature__ = inspect.Signature(others)
    return run
