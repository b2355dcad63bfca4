from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Ended, Pushed
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from tests.unit.executors.requests import make_request

from .clock import settle


def lines(said):
    return [item.text for item in said if isinstance(item, LogLine)]


def messages(said):
    return [item.message for item in said if isinstance(item, PhaseChanged)]


def reason(said):
    assert isinstance(said[-1], Ended), said
    return said[-1].error.reason


async def claimed(world):
    claim = await world.executor.claim(make_request())
    said = world.follow(claim)
    await settle()
    return claim.request.name, claim, said


async def test_the_whole_log_comes_before_the_end(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.log(name, "one")
    world.api.finish(name)
    world.api.log(name, "two")
    await world.clock.advance(20)

    assert lines(said) == ["one", "two"]
    assert said[-1] == Ended(None)


async def test_a_build_that_was_over_at_first_sight_keeps_its_log(world):
    name, _, said = await claimed(world)
    world.api.log(name, "quick")
    world.api.finish(name)
    await world.clock.advance(10)

    assert lines(said) == ["quick"]
    assert said[-1] == Ended(None)


async def test_an_ordinary_build_costs_few_requests(world):
    world.api.calls.clear()
    name, claim, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, *"abc")
    await settle()
    await world.clock.advance(60)
    world.api.finish(name)
    await world.clock.advance(10)
    await world.executor.remove(claim)

    assert said[-1] == Ended(None)
    # engines, create, log, its last record, delete
    assert world.api.calls.total() <= 6


async def test_the_log_may_break_and_goes_on(world):
    name, _, said = await claimed(world)
    world.api.failures["pod_log"] = [
        ApiError("container is waiting to start: ContainerCreating", 400),
        ApiError("reset"),
    ]
    world.api.run(name)
    world.api.log(name, "one")
    await world.clock.advance(10)
    world.api.finish(name)
    await world.clock.advance(10)

    assert lines(said) == ["one"]
    assert said[-1] == Ended(None)


async def test_progress_bars_and_blocks_are_lines_of_their_own(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, '{"message": "10%\\r20%\\nboth\\n", "phase": "building"}')
    world.api.finish(name)
    await world.clock.advance(10)

    found = [(x.index, x.text) for x in said if isinstance(x, LogLine)]
    assert found == [(0, "10%"), (1, "20%"), (2, "both")]


async def test_the_end_of_the_push_is_told_while_the_pod_still_runs(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.log(name, "#9 pushing r/a:b with docker")
    world.api.log(name, "#9 DONE 3.2s")
    await settle()

    assert said[-1] == Pushed()
    assert lines(said)[-1] == "#9 DONE 3.2s"


async def test_a_log_that_never_ends_does_not_hold_the_verdict(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api._terminated = lambda _: False
    await settle()
    world.api.log(name, "one")
    world.api.finish(name)
    await world.clock.advance(31)

    assert lines(said) == ["one"]
    assert isinstance(said[-2], Gap)
    assert said[-1] == Ended(None)


async def test_a_log_that_takes_its_time_is_read_to_its_end(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api._terminated = lambda _: False
    await settle()
    world.api.finish(name)
    for number in range(5):
        world.api.log(name, f"{number}")
        await world.clock.advance(20)

    assert lines(said) == ["0", "1", "2", "3", "4"]
    assert not any(isinstance(item, Gap | Ended) for item in said)


async def test_without_the_right_to_read_logs_the_end_is_shown(world):
    world.api.log_forbidden = True
    name, _, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.finish(name, code=1, message="step 2\nERROR: no such package")
    await world.clock.advance(10)

    assert any("may not read the logs of pods" in text for text in messages(said))
    assert said[-4].phase is Phase.BUILDING
    assert lines(said) == ["step 2", "ERROR: no such package"]
    assert "no such package" in said[-1].error.message


async def test_waiting_is_told_and_asks_for_events_only_when_it_lasts(world):
    name, claim, said = await claimed(world)
    world.api.events[claim.uid] = [{"reason": "Pulling", "message": "Pulling image r2d"}]
    world.api.waiting(name, "ContainerCreating")
    await world.clock.advance(2)
    assert world.api.calls["pod_events"] == 0

    await world.clock.advance(20)

    assert 3 <= world.api.calls["pod_events"] <= 5
    assert messages(said) == [
        "Waiting for a node.",
        "Starting the build on node node-1.",
        "Node node-1 pulls the image that builds.",
    ]


async def test_an_image_that_cannot_be_pulled_has_a_grace(world):
    name, _, said = await claimed(world)
    world.api.waiting(name, "ErrImagePull", "repo not found: r2d:9")
    await world.clock.advance(40)
    world.api.waiting(name, "ImagePullBackOff", "Back-off pulling r2d:9")
    await world.clock.advance(19)
    assert not isinstance(said[-1], Ended)
    await world.clock.advance(3)

    assert reason(said) is Reason.IMAGE_PULL
    assert "r2d:9" in said[-1].error.message


async def test_an_image_that_is_pulled_in_the_end_is_fine(world):
    name, _, said = await claimed(world)
    world.api.waiting(name, "ErrImagePull", "timeout")
    await world.clock.advance(30)
    world.api.run(name)
    await world.clock.advance(100)
    world.api.finish(name)
    await world.clock.advance(10)

    assert said[-1] == Ended(None)


async def test_a_volume_that_cannot_be_mounted_has_a_grace(world):
    name, claim, said = await claimed(world)
    world.api.events[claim.uid] = [{"reason": "FailedMount", "message": 'secret "x" not found'}]
    world.api.waiting(name, "ContainerCreating")
    await world.clock.advance(70)

    assert reason(said) is Reason.MOUNT_FAILED
    assert 'secret "x" not found' in said[-1].error.message


async def test_a_mount_that_worked_at_last_is_no_trouble(world):
    name, claim, said = await claimed(world)
    world.api.events[claim.uid] = [
        {"reason": "FailedMount", "message": "not yet"},
        {"reason": "Pulling", "message": "Pulling"},
    ]
    world.api.waiting(name, "ContainerCreating")
    await world.clock.advance(100)

    assert not isinstance(said[-1], Ended)


async def test_a_node_is_waited_for_with_the_autoscalers_words(world):
    name, claim, said = await claimed(world)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available",
    }
    world.api.change(name, conditions=[condition])
    world.api.events[claim.uid] = [{"reason": "TriggeredScaleUp", "message": "pool-a 0->1"}]
    await world.clock.advance(890)
    assert any("pool-a 0->1" in text for text in messages(said))
    assert not isinstance(said[-1], Ended)
    await world.clock.advance(15)

    assert reason(said) is Reason.UNSCHEDULABLE
    assert "0/3 nodes are available" in said[-1].error.message


async def test_a_pod_that_never_starts_for_no_reason_ends(world):
    name, _, said = await claimed(world)
    world.api.waiting(name, "ContainerCreating")
    await world.clock.advance(905)

    assert reason(said) is Reason.EXECUTOR_LOST


@pytest.mark.parametrize("running", [True, False])
async def test_a_pod_that_vanishes_is_lost(world, running):
    name, _, said = await claimed(world)
    if running:
        world.api.run(name)
        await settle()
    world.api.vanish(name)
    await world.clock.advance(40)

    assert reason(said) is Reason.EXECUTOR_LOST
    assert sum(isinstance(item, Ended) for item in said) == 1


async def test_a_pod_that_vanishes_unseen_is_lost_too(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.vanish(name, silently=True)
    await world.clock.advance(300)
    world.api.end_watches()
    await world.clock.advance(60)

    assert reason(said) is Reason.EXECUTOR_LOST


async def test_a_node_that_went_silent_is_not_waited_for_for_ever(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    await world.clock.advance(7200 + 130)

    assert reason(said) is Reason.TIMEOUT


async def test_a_pod_that_cannot_be_deleted_from_a_dead_node_is_lost(world):
    name, claim, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.keep_terminating = True
    await world.executor.remove(claim)
    await world.clock.advance(200)

    assert reason(said) is Reason.EXECUTOR_LOST


async def test_an_eviction_before_the_start_has_its_reason(world):
    name, _, said = await claimed(world)
    world.api.change(name, phase="Failed", reason="Evicted", message="low on memory")
    await settle()

    assert reason(said) is Reason.EVICTED
    assert "low on memory" in said[-1].error.message


async def test_a_sidecar_that_someone_injects_does_not_confuse(world):
    name, _, said = await claimed(world)
    sidecar = {"name": "istio", "state": {"running": {}}}
    own = {"name": "builder", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
    world.api.change(name, phase="Pending", containerStatuses=[sidecar, own])
    await settle()

    assert messages(said)[-1] == "The image that builds cannot be pulled: no"


async def test_a_build_is_not_given_up_while_kubernetes_is_away(world):
    name, claim, _ = await claimed(world)
    world.api.run(name)
    world.executor = world.new_executor()
    world.api.failures["get_pod"] = [ApiError("away")] * 3
    said = world.follow(claim)
    await world.clock.advance(30)
    world.api.log(name, "still here")
    world.api.finish(name)
    await world.executor.start()
    await world.clock.advance(30)

    assert lines(said) == ["still here"]
    assert said[-1] == Ended(None)


async def test_a_fault_of_ours_ends_the_build_too(world):
    name, _, said = await claimed(world)
    world.api.change(name, containerStatuses=[None])
    await settle()

    assert reason(said) is Reason.INTERNAL
