"""Many viewers, slow ones, those who leave: a build costs, a viewer does not."""

from __future__ import annotations

import asyncio

from tests.fakes.kubernetes.program import GOOD, Program

from .scenario import scenario


@scenario
async def test_a_thousand_viewers_of_one_build(world):
    build = await world.ask()
    viewers = [world.view(build) for _ in range(1000)]
    for viewer in viewers:
        await world.built(viewer, within=30)
    assert {tuple(viewer.lines) for viewer in viewers} == {tuple(viewers[0].lines)}
    calls = world.cluster.calls
    assert calls["pod_log"] <= 2
    assert calls["get_pod"] + calls["create_pod"] + calls["delete_pod"] <= 2


@scenario
async def test_viewers_that_come_at_any_time(world):
    build = await world.ask()
    viewers = []
    for _ in range(60):
        viewers.append(world.view(build))
        await asyncio.sleep(0.2)
    for viewer in viewers:
        await world.built(viewer)
    assert {tuple(viewer.lines) for viewer in viewers} == {tuple(viewers[0].lines)}


@scenario
async def test_viewers_that_leave(world):
    build = await world.ask()
    viewers = [world.view(build) for _ in range(100)]
    await world.until_running()
    for viewer in viewers[:99]:
        viewer.leave()
    await world.built(viewers[99])


@scenario
async def test_slow_viewers_delay_nobody(world):
    build = await world.ask()
    slow = [world.view(build, pause=20.0) for _ in range(50)]
    await world.built(world.view(build), within=15)
    for viewer in slow:
        await world.built(viewer, within=800)
    assert {tuple(viewer.lines) for viewer in slow} == {tuple(slow[0].lines)}


@scenario
async def test_a_viewer_of_a_build_that_waits(world):
    world.cluster.program = lambda _: Program(scheduled=60, steps=GOOD.steps)
    viewer = await world.watch()
    await asyncio.sleep(30)
    assert viewer.said
    await world.built(viewer, within=100)
