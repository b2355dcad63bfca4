from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Checkpoint, Ended, Pushed
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

    assert said[-2] == Pushed()
    assert isinstance(said[-1], Checkpoint)
    assert lines(said)[-1] == "#9 DONE 3.2s"


async def test_a_stream_that_never_ends_does_not_hold_the_verdict(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api._terminated = lambda _: False
    await settle()
    world.api.log(name, "one")
    world.api.finish(name)
    await world.clock.advance(5)

    assert lines(said) == ["one"]
    assert not any(isinstance(item, Gap) for item in said)
    assert said[-1] == Ended(None)


async def test_a_log_that_never_answers_does_not_hold_the_verdict(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.hang_logs = True
    world.api.log(name, "one")
    await settle()
    world.api.finish(name)
    await world.clock.advance(31)

    assert lines(said) == []
    assert isinstance(said[-2], Gap)
    assert said[-1] == Ended(None)


async def test_a_log_that_takes_its_time_is_read_to_its_end(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    await settle()
    world.api.log_pause = lambda: world.clock.sleep(8)
    world.api.log(name, *"01234")
    world.api.finish(name)
    await world.clock.advance(30)
    assert not any(isinstance(item, Gap | Ended) for item in said)
    await world.clock.advance(300)

    assert lines(said) == ["0", "1", "2", "3", "4"]
    assert not any(isinstance(item, Gap) for item in said)
    assert said[-1] == Ended(None)


async def test_a_fault_of_ours_in_the_log_is_a_gap(world, caplog):
    name, _, said = await claimed(world)
    world.api.failures["pod_log"] = [ValueError("no such thing")]
    world.api.run(name)
    world.api.log(name, "one")
    await settle()
    world.api.finish(name, code=1, message="ERROR: no such package")
    await world.clock.advance(20)

    assert any(isinstance(item, Gap) for item in said)
    assert "no such package" in said[-1].error.message
    assert "no such thing" in caplog.text


async def test_without_the_right_to_read_logs_it_is_said_soon_and_once(world):
    world.api.log_forbidden = True
    name, _, said = await claimed(world)
    world.api.run(name)
    await world.clock.advance(5)
    assert "may not read the logs of pods" in messages(said)[-1]
    await world.clock.advance(300)

    assert sum("may not read the logs" in text for text in messages(said)) == 1
    assert world.api.calls["pod_log"] <= 9


async def test_logs_that_may_not_be_read_for_a_moment_are_not_spoken_of(world):
    world.api.log_forbidden = True
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await world.clock.advance(2)
    world.api.log_forbidden = False
    await world.clock.advance(10)
    world.api.finish(name)
    await world.clock.advance(10)

    assert lines(said) == ["one"]
    assert not any("may not read" in text for text in messages(said))
    assert said[-1] == Ended(None)


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


async def resumed(world, name, claim, mark):
    """What another process is told that goes on from a mark."""
    world.executor = world.new_executor()
    await world.executor.start()
    said = world.follow(claim, mark)
    await world.clock.advance(10)
    return said


def marks(said):
    return [item.mark for item in said if isinstance(item, Checkpoint)]


async def test_a_mark_never_stands_in_a_record(world):
    name, claim, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one", '{"message": "10%\\r20%\\nboth\\n"}', "three")
    await settle()

    kinds = "".join(type(item).__name__[0] for item in said if not isinstance(item, PhaseChanged))
    assert kinds == "LC" + "LLLC" + "LC"
    rest = await resumed(world, name, claim, marks(said)[0])
    found = [(x.index, x.text) for x in rest if isinstance(x, LogLine)]
    assert found == [(1, "10%"), (2, "20%"), (3, "both"), (4, "three")]


async def test_a_place_that_is_not_found_any_more_is_a_gap_and_new_numbers(world):
    name, claim, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, *"abcdef")
    await settle()
    world.api.log(name, *"ghi")
    del world.api.logs[name][:8]
    rest = await resumed(world, name, claim, marks(said)[2])
    world.api.log(name, "j")
    await settle()

    assert [type(item) for item in rest[:2]] == [Gap, LogLine]
    found = [(x.index, x.text) for x in rest if isinstance(x, LogLine)]
    assert found == [(1_000_000, "h"), (1_000_001, "i"), (1_000_002, "j")]

    del world.api.logs[name][:2]
    last = await resumed(world, name, claim, marks(rest)[0])
    found = [(x.index, x.text) for x in last if isinstance(x, LogLine)]
    assert found == [(2_000_000, "j")]


async def test_a_log_whose_beginning_nobody_saw_begins_with_a_gap(world):
    name, claim, _ = await claimed(world)
    world.api.run(name)
    world.api.log(name, *"abc")
    del world.api.logs[name][:2]
    rest = await resumed(world, name, claim, None)

    assert isinstance(rest[0], Gap)
    found = [(x.index, x.text) for x in rest if isinstance(x, LogLine)]
    assert found == [(1_000_000, "b"), (1_000_001, "c")]
    again = await resumed(world, name, claim, marks(rest)[0])
    assert not any(isinstance(item, Gap) for item in again)
    assert lines(again) == ["c"]


async def test_the_end_of_a_push_that_began_before_is_seen(world):
    name, claim, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "#9 pushing r/a:b with docker", "#8 DONE 1.0s", "#9 DONE 3.2s")
    await settle()

    rest = await resumed(world, name, claim, marks(said)[1])

    assert lines(rest) == ["#9 DONE 3.2s"]
    assert Pushed() in rest
    assert Pushed() not in await resumed(world, name, claim, marks(said)[2])


@pytest.mark.parametrize("pushing", [True, False])
async def test_who_saw_only_the_end_knows_the_reason(world, pushing):
    name, claim, said = await claimed(world)
    world.api.run(name)
    first = "#9 pushing r/a:b with docker" if pushing else "#9 [2/2] RUN make"
    world.api.log(name, first, "ERROR: insufficient_scope", "Error during build: Command '[]'")
    await settle()
    words = "ERROR: insufficient_scope\nError during build: Command '[]'"
    world.api.finish(name, code=1, message=words)
    for mark in marks(said):
        rest = await resumed(world, name, claim, mark)
        assert reason(rest) is (Reason.PUSH_DENIED if pushing else Reason.BUILD_FAILED)
        assert "insufficient_scope" in rest[-1].error.message


async def test_a_build_that_is_silent_for_too_long_is_given_up(world):
    world.executor = world.new_executor(silence=600)
    await world.executor.start()
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await world.clock.advance(590)
    world.api.log(name, "two")
    await world.clock.advance(590)
    assert not isinstance(said[-1], Ended)
    await world.clock.advance(15)

    assert reason(said) is Reason.TIMEOUT
    assert "printed nothing for 10 minutes" in said[-1].error.message
    assert not any(isinstance(item, Gap) for item in said)


@pytest.mark.parametrize(
    "settings", [{"silence": 0}, {"silence": 600, "forbidden": True}, {"silence": 600, "away": 1}]
)
async def test_silence_is_judged_only_where_the_log_can_be_read(world, settings):
    away, world.api.log_forbidden = settings.pop("away", 0), settings.pop("forbidden", False)
    world.executor = world.new_executor(**settings)
    await world.executor.start()
    name, _, said = await claimed(world)
    world.api.run(name)
    if away:
        world.api.failures["pod_log"] = [ApiError("away")] * 1000
    world.api.log(name, "one")
    await world.clock.advance(4000)

    assert not any(isinstance(item, Ended) for item in said)


async def test_silence_is_no_conclusion_from_a_stream_that_hangs(world):
    world.executor = world.new_executor(silence=600)
    await world.executor.start()
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await world.clock.advance(590)
    # from now on neither the stream nor a new question gives an answer
    world.api.failures["pod_log"] = [ApiError("away")] * 3
    await world.clock.advance(100)
    assert not any(isinstance(item, Ended) for item in said)
    await world.clock.advance(300)

    assert reason(said) is Reason.TIMEOUT


async def test_an_end_that_the_watch_lost_is_seen_by_the_log(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await settle()
    watching, world.api._watchers = world.api._watchers, set()
    world.api.finish(name)
    world.api._watchers = watching
    await world.clock.advance(15)

    assert said[-1] == Ended(None)
    assert lines(said) == ["one"]


async def test_a_deletion_that_the_watch_lost_is_seen_by_the_log(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await settle()
    world.api.vanish(name, silently=True)
    await world.clock.advance(45)

    assert reason(said) is Reason.EXECUTOR_LOST


async def test_while_kubernetes_is_away_nothing_is_concluded_from_what_was(world):
    name, _, said = await claimed(world)
    world.api.waiting(name, "ErrImagePull", "no such image")
    await world.clock.advance(50)
    world.api.failures |= {"get_pod": [ApiError("away")] * 5, "list_pods": [ApiError("away")] * 99}
    world.api.failures["watch_pods"] = [ApiError("away")] * 99
    world.api.end_watches()
    await world.clock.advance(25)
    assert not any(isinstance(item, Ended) for item in said)

    watching, world.api._watchers = world.api._watchers, set()
    world.api.run(name)
    world.api._watchers = watching
    await world.clock.advance(30)
    assert not any(isinstance(item, Ended) for item in said)
    world.api.finish(name)
    await world.clock.advance(60)
    assert said[-1] == Ended(None)


async def test_a_node_that_was_only_out_of_sight_is_not_dead(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await world.clock.advance(10)
    # neither watch nor log bring news any more
    world.api.failures |= {"list_pods": [ApiError("away")] * 999}
    world.api.failures |= {"watch_pods": [ApiError("away")] * 999}
    world.api.failures |= {"pod_log": [ApiError("away")] * 2000}
    world.api.failures |= {"get_pod": [ApiError("away")] * 1}
    world.api.end_watches()
    world.api.finish(name)
    world.executor.silence = 0
    await world.clock.advance(7300)
    world.api.failures.clear()
    await world.clock.advance(120)

    assert said[-1] == Ended(None)


async def test_a_pull_that_fails_says_why_and_not_that_it_waits(world):
    name, claim, said = await claimed(world)
    words = 'Failed to pull image "r2d:9": r2d:9: not found'
    world.api.events[claim.uid] = [
        {"reason": "Failed", "message": words},
        {"reason": "Failed", "message": "Error: ErrImagePull"},
    ]
    world.api.waiting(name, "ImagePullBackOff", 'Back-off pulling image "r2d:9"')
    await world.clock.advance(70)

    assert reason(said) is Reason.IMAGE_PULL
    assert words in said[-1].error.message


async def test_what_kubernetes_warns_of_is_shown(world):
    name, claim, said = await claimed(world)
    event = {"type": "Warning", "reason": "FailedCreatePodSandBox", "message": "no network"}
    world.api.events[claim.uid] = [event]
    world.api.waiting(name, "ContainerCreating")
    await world.clock.advance(10)

    assert messages(said)[-1] == "Starting the build on node node-1: no network"


async def test_a_pod_that_is_gone_before_its_log_was_read_leaves_a_gap(world):
    name, _, said = await claimed(world)
    world.api.run(name)
    world.api.log(name, "one")
    await settle()
    world.api.hang_logs = True
    world.api.end_logs()
    await world.clock.advance(5)
    world.api.finish(name, code=1, message="one\nERROR: no such package")
    world.api.hang_logs = False
    del world.api.logs[name]
    await world.clock.advance(60)

    assert lines(said) == ["one"]
    assert any(isinstance(item, Gap) for item in said)
    assert "no such package" in said[-1].error.message
