"""The watch loses, repeats, delays, breaks; every build has its end nevertheless."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from tests.fakes.kubernetes.faults import AnswerLost, NotHeard, Refused, Slow, Stale
from tests.fakes.kubernetes.history import Fate
from tests.fakes.kubernetes.program import FAILS, WHY, Program

from .scenario import scenario

#: Seconds by which a loss is noticed by listing anew: a watch lasts 290 at most.
RELIST = 600.0


@scenario
async def test_nothing_goes_wrong(world):
    viewer = await world.built(await world.watch(), within=15)
    assert len(viewer.lines) > 20
    assert viewer.gaps == []


@scenario
async def test_the_watch_is_closed_without_an_event_while_the_pod_vanishes(world):
    viewer = await world.watch()
    await world.until_running()
    for watch in list(world.connection.watches):
        watch.stop()
    world.cluster.vanish(world.name, silently=True)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=RELIST)


@scenario
async def test_a_pod_vanishes_while_the_watch_is_half_open(world):
    viewer = await world.watch()
    await world.until_running()
    for watch in list(world.connection.watches):
        watch.silent = True
    world.cluster.vanish(world.name)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=RELIST)


@scenario
async def test_a_deleted_that_never_comes(world):
    viewer = await world.watch()
    await world.until_running()
    world.cluster.history.fates = [Fate.LOST]
    world.cluster.vanish(world.name)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=RELIST)


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
@scenario
async def test_changes_that_nobody_is_told(world, lost):
    world.cluster.program = lambda _: FAILS
    world.cluster.history.fates = [Fate.TOLD] * (lost - 1) + [Fate.LOST]
    message = await world.failed(await world.watch(), Reason.BUILD_FAILED, within=RELIST)
    assert WHY in message


@pytest.mark.parametrize("fate", [Fate.TWICE, Fate.LATE])
@pytest.mark.parametrize("which", [0, 1, 2, 3, 4, 5])
@scenario
async def test_changes_that_are_told_twice_or_late(world, fate, which):
    world.cluster.history.fates = [Fate.TOLD] * which + [fate]
    await world.built(await world.watch(), within=RELIST)


@scenario
async def test_a_modified_behind_the_deleted_brings_no_pod_back(world):
    viewer = await world.watch()
    await world.until_running()
    world.cluster.history.fates = [Fate.LATE]
    world.cluster.change(world.name)
    world.cluster.vanish(world.name)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=RELIST)


@pytest.mark.parametrize("how", ["event", "status"])
@scenario
async def test_a_version_that_is_too_old_on_resume(world, how):
    viewer = await world.watch()
    await world.until_running()
    if how == "event":
        world.cluster.history.compact()
    else:
        world.connection.next("watch_pods", Refused(410, "too old resource version"))
    for watch in list(world.connection.watches):
        watch.stop()
    await world.built(viewer)


@pytest.mark.parametrize("ending", [None, ApiError("Kubernetes does not answer: reset")])
@scenario
async def test_watches_that_end_all_the_time(world, ending):
    async def end():
        while True:
            await asyncio.sleep(0.3)
            for watch in list(world.connection.watches):
                watch.stop(ending)

    ending_them = asyncio.create_task(end())
    viewers = [await world.watch(repo) for repo in range(5)]
    for viewer in viewers:
        await world.built(viewer)
    ending_them.cancel()
    await asyncio.wait({ending_them})
    # backing off keeps this from being a storm
    assert world.cluster.calls["watch_pods"] < 100


@scenario
async def test_a_list_of_a_server_that_is_behind(world):
    viewer = await world.watch()
    await world.until_running()
    world.cluster.history.compact()
    world.connection.next("list_pods", Stale(changes=10))
    for watch in list(world.connection.watches):
        watch.stop()
    await world.built(viewer, within=RELIST)


@pytest.mark.parametrize(
    "fault",
    [Refused(429), Refused(500), Refused(503), NotHeard(), AnswerLost(), Slow(5)],
    ids=repr,
)
@pytest.mark.parametrize("verb", ["list_pods", "watch_pods", "get_pod", "pod_events", "pod_log"])
@scenario
async def test_a_verb_that_fails_for_a_while(world, verb, fault):
    world.connection.next(verb, *[fault] * 4)
    for watch in list(world.connection.watches):
        watch.stop()
    viewers = [await world.watch(repo) for repo in range(3)]
    for viewer in viewers:
        await world.built(viewer, within=400)


@scenario
async def test_the_api_server_is_away_in_mid_build(world):
    viewer = await world.watch()
    await world.until_running()
    world.cluster.away = ApiError("Kubernetes does not answer: connection refused")
    world.connection.cut_off()
    await asyncio.sleep(40)  # the build goes on meanwhile, and ends
    assert viewer.end is None
    world.cluster.away = None
    await world.built(viewer, within=60)
    assert viewer.gaps == []


@scenario
async def test_the_api_server_is_slow(world):
    world.connection.latency = 4.0
    viewers = [await world.watch(repo) for repo in range(3)]
    for viewer in viewers:
        await world.built(viewer, within=300)


@scenario
async def test_a_pod_that_vanishes_between_two_requests(world):
    world.cluster.program = lambda _: Program(scheduled=None)
    viewer = await world.watch()
    await asyncio.sleep(0.05)
    world.cluster.vanish(world.name)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=RELIST)
