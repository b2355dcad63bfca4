"""What becomes of the pod: it never starts, it loses its node, somebody deletes it."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import Reason
from tests.fakes.kubernetes.program import BUILD, FETCH, GOOD, PUSH, Program

from .scenario import scenario

FULL = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient cpu.",
}
PULL = "Failed to pull image: manifest unknown"
MOUNT = 'MountVolume.SetUp failed for volume "push": secret "push" not found'
LONG = Program(steps=(FETCH, 1.0, BUILD, 3000.0))


@pytest.mark.parametrize("why", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
@scenario
async def test_an_image_that_cannot_be_pulled(world, why):
    world.cluster.program = lambda _: Program(starts=None, waiting=(why, PULL))
    viewer = await world.watch()
    message = await world.failed(viewer, Reason.IMAGE_PULL, within=80)
    assert PULL in message
    assert any(PULL in said for said in viewer.said), "it is told while it lasts, too"


@scenario
async def test_a_volume_that_cannot_be_mounted(world):
    world.cluster.program = lambda _: Program(starts=None, events=[("FailedMount", MOUNT)])
    assert MOUNT in await world.failed(await world.watch(), Reason.MOUNT_FAILED, within=80)


@scenario
async def test_no_node_takes_it(world):
    scaling = ("NotTriggerScaleUp", "pod didn't trigger scale-up")
    world.cluster.program = lambda _: Program(scheduled=None, condition=FULL, events=[scaling])
    message = await world.failed(await world.watch(), Reason.UNSCHEDULABLE, within=960)
    assert "Insufficient cpu" in message
    assert "scale-up" in message


@scenario
async def test_a_node_that_takes_ten_minutes_to_come(world):
    world.cluster.program = lambda _: Program(
        scheduled=600, condition=FULL, steps=GOOD.steps, starts=20
    )
    await world.built(await world.watch(), within=700)


@scenario
async def test_a_container_that_never_starts_and_nobody_says_why(world):
    world.cluster.program = lambda _: Program(starts=None)
    await world.failed(await world.watch(), Reason.EXECUTOR_LOST, within=960)


@scenario
async def test_the_client_leaves_while_it_waits(world):
    world.cluster.program = lambda _: Program(scheduled=100, steps=GOOD.steps)
    leaver = await world.watch()
    await asyncio.sleep(1)
    leaver.leave()
    await asyncio.sleep(150)
    assert world.registry.images, "losing interest is not cancelling"


@scenario
async def test_the_node_is_lost(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    world.cluster.lose_node()
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=700)
    world.cluster.remove_node()


@scenario
async def test_the_node_is_drained(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    world.cluster.evict(world.name)
    await world.failed(viewer, Reason.EVICTED, within=60)


@scenario
async def test_the_pod_is_evicted(world):
    status = {"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}
    world.cluster.program = lambda _: Program(steps=(FETCH,), code=137, status=status)
    assert "ephemeral-storage" in await world.failed(await world.watch(), Reason.EVICTED)


@scenario
async def test_the_pod_is_deleted_by_hand(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    pod = world.pod()
    world.cluster.delete(world.name, pod["metadata"]["uid"], 30)
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=10)


@scenario
async def test_the_pod_needs_too_much_memory(world):
    world.cluster.program = lambda _: Program(steps=(FETCH,), code=137, reason="OOMKilled")
    await world.failed(await world.watch(), Reason.OUT_OF_MEMORY)


@scenario
async def test_a_step_is_killed_inside_the_engine(world):
    killed = b'ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 137\n'
    world.cluster.program = lambda _: Program(steps=(FETCH, killed), code=1)
    await world.failed(await world.watch(), Reason.OUT_OF_MEMORY)


@scenario
async def test_the_engine_does_not_answer(world):
    words = b"The container engine of this node did not answer within 60 seconds.\n"
    world.cluster.program = lambda _: Program(steps=(words,), code=69)
    await world.failed(await world.watch(), Reason.ENGINE_UNAVAILABLE)


@scenario
async def test_the_deadline(world):
    (process,) = world.processes
    process.executor.deadline = 100
    process.executor.silence = 0
    world.cluster.program = lambda _: LONG
    await world.failed(await world.watch(), Reason.TIMEOUT, within=120)


@scenario
async def test_a_pod_that_refuses_to_go(world):
    world.cluster.program = lambda _: Program(steps=LONG.steps, deaf=True)
    viewer = await world.watch()
    await world.until_running()
    await world.cancel(viewer.build_id)
    await world.failed(viewer, Reason.CANCELLED, within=10)


@scenario
async def test_a_failure_that_is_gone_is_tried_again(world):
    world.cluster.program = lambda _: Program(starts=None, waiting=("ErrImagePull", PULL))
    await world.failed(await world.watch(), Reason.IMAGE_PULL, within=80)
    world.cluster.program = lambda _: GOOD
    world.pods_per_build = 2
    await world.built(await world.watch())


@scenario
async def test_a_pod_that_vanishes_behind_its_push(world):
    world.cluster.program = lambda _: Program(steps=(FETCH, 1.0, PUSH, BUILD, 3000.0))
    viewer = await world.watch()
    await world.until_running()
    for follower in world.connection.followers:
        follower.silent = True
    await asyncio.sleep(1)
    world.cluster.vanish(world.name)
    await world.built(viewer)
    assert viewer.gaps
