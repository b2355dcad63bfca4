"""The service is killed at each step of a build, and started again."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import Reason, StoreUnavailable
from tests.fakes.kubernetes.faults import AnswerLost, Dead, Slow
from tests.fakes.kubernetes.program import BUILD, FAILS, FETCH, Program

from .scenario import scenario

LONG = Program(steps=(FETCH, 1.0, BUILD, 3000.0))
#: Seconds from the request on: claim, waiting, running, lines, push, reading back, lingering.
MOMENTS = [0.0, 0.001, 0.003, 0.005, 0.05, 0.3, 0.7, 1.3, 2.0, 3.5, 5.0, 6.2, 6.65, 6.7, 8.0, 30.0]


@pytest.mark.parametrize("away", [0.0, 4.0, 30.0])
@pytest.mark.parametrize("moment", MOMENTS)
@scenario
async def test_the_service_is_killed(world, moment, away):
    viewer = await world.watch()
    await asyncio.sleep(moment)
    world.kill()
    await asyncio.sleep(away)
    await world.start()
    await world.built(viewer, within=60)
    assert viewer.gaps == []
    assert len(world.cluster.created) == 1


@pytest.mark.parametrize("moment", MOMENTS)
@scenario
async def test_the_service_is_stopped(world, moment):
    viewer = await world.watch()
    await asyncio.sleep(moment)
    await world.stop(world.process)
    await world.start()
    await world.built(viewer, within=60)
    assert viewer.gaps == []
    assert len(world.cluster.created) == 1


@pytest.mark.parametrize("moment", MOMENTS)
@scenario
async def test_the_service_is_killed_and_the_build_fails(world, moment):
    world.cluster.program = lambda _: FAILS
    viewer = await world.watch()
    await asyncio.sleep(moment)
    world.kill()
    await asyncio.sleep(3)
    await world.start()
    await world.failed(viewer, Reason.BUILD_FAILED)
    assert len(world.cluster.created) == 1


@pytest.mark.parametrize("every", [0.3, 1.0, 2.3])
@scenario
async def test_the_service_is_killed_all_the_time(world, every):
    viewers = [await world.watch(repo) for repo in range(4)]
    for _ in range(12):
        await asyncio.sleep(every)
        await world.restart()
    for viewer in viewers:
        await world.built(viewer)
        assert viewer.gaps == []
    assert len(world.cluster.created) == 4


@pytest.mark.parametrize("fault", [AnswerLost(), Slow(2.0)], ids=repr)
@scenario
async def test_the_service_is_killed_while_it_creates_the_pod(world, fault):
    world.connection.next("create_pod", fault)
    viewer = await world.watch()
    await asyncio.sleep(2.5)
    await world.restart()
    await world.built(viewer)
    assert len(world.cluster.created) == 1


@scenario
async def test_an_old_service_lives_on_beside_the_new_one(world):
    viewer = await world.watch()
    await world.until_running()
    old = world.process
    await world.start()
    await asyncio.sleep(2)
    await world.stop(old)
    await world.built(viewer)
    assert len(world.cluster.created) == 1


@scenario
async def test_a_cancel_survives(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    await world.cancel(viewer.build_id)
    await world.restart()
    await world.failed(viewer, Reason.CANCELLED)


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.003, 0.01, 1.0])
@scenario
async def test_the_service_is_killed_right_behind_a_cancel(world, moment):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    cancelling = asyncio.create_task(world.cancel(viewer.build_id))
    await asyncio.sleep(moment)
    world.kill()
    await asyncio.wait({cancelling})
    cancelling.exception()
    await world.start()
    await asyncio.sleep(20)
    if viewer.end is None:  # it never came to be: nobody was told that it did
        await world.cancel(viewer.build_id)
    await world.ended(viewer)
    assert viewer.end.reason in (Reason.CANCELLED, Reason.EXECUTOR_LOST)


@scenario
async def test_queued_requests_survive_in_their_order(world):
    world.limits = QueueLimits(running=1)
    await world.restart()
    viewers = [await world.watch(repo) for repo in range(4)]
    await asyncio.sleep(2)
    await world.restart()
    for viewer in viewers:
        await world.built(viewer, within=200)
    names = [pod["metadata"]["annotations"] for pod in world.cluster.created]
    asked = [name["imagebuilder.jupyterhub.org/repository"][-1] for name in names]
    assert asked == ["0", "1", "2", "3"]


@scenario
async def test_the_store_is_away(world):
    world.store.unavailable = StoreUnavailable("It is away.")
    viewer = await world.watch()
    await world.built(viewer)
    world.store.recover()


@scenario
async def test_the_store_goes_away_and_the_service_is_killed(world):
    viewer = await world.watch()
    await world.until_running()
    world.store.unavailable = StoreUnavailable("It is away.")
    world.store.spool = False
    world.kill()
    await world.start()
    await asyncio.sleep(2)
    world.store.recover()
    await world.built(viewer)
    assert len(world.cluster.created) == 1


@scenario
async def test_there_is_no_store_any_more(world):
    viewer = await world.watch()
    await world.until_running()
    world.kill()
    world.store.records.clear()
    world.store.pages.clear()
    await world.start()
    await world.built(viewer)
    assert viewer.gaps == []


@scenario
async def test_what_ended_while_nobody_looked_is_told(world):
    world.cluster.program = lambda _: FAILS
    viewer = await world.watch()
    await world.until_running()
    world.kill()
    await asyncio.sleep(60)
    world.cluster.vanish(world.name)  # and its pod is gone as well
    await world.start()
    await world.failed(viewer, Reason.EXECUTOR_LOST)


@scenario
async def test_an_image_was_made_while_nobody_looked_and_its_pod_is_gone(world):
    viewer = await world.watch()
    await world.until_running()
    world.kill()
    await asyncio.sleep(60)
    world.cluster.vanish(world.name)
    await world.start()
    await world.built(viewer)
    assert viewer.gaps, "the rest of the log is lost"


@scenario
async def test_the_older_of_two_services_tells_the_end_and_both_are_killed(world):
    lines = [step for i in range(100) for step in (0.1, b"line %d\n" % i)]
    world.cluster.program = lambda _: Program(steps=lines, code=1)
    build = await world.ask()
    await world.until_running()
    old = world.process
    # the newer one is the author of what is stored from now on, and cannot read the log
    new = await world.start(lambda verb: Dead() if verb == "pod_log" else None)
    await asyncio.sleep(14)
    assert world.store.records[build.id].phase.terminal
    world.kill(new)
    world.kill(old)
    await world.start()
    late = world.view(build)
    await world.failed(late, Reason.BUILD_FAILED)
    assert len(late.lines) == 100 or late.gaps
