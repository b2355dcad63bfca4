"""Who creates a pod, and who meets one: exactly one pod for one build."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from tests.fakes.kubernetes.faults import AnswerLost, NotHeard, Refused, Slow, Twice
from tests.fakes.kubernetes.program import BUILD, FAILS, FETCH, GOOD, Program

from .scenario import scenario
from .world import COMMIT, url

LONG = Program(steps=(FETCH, 1.0, BUILD, 3000.0))
NO_ROLES = ApiError("Kubernetes refuses", 403, 'pods is forbidden: User "x" cannot do that')
AWAY = ApiError("Kubernetes does not answer: connection refused")


@pytest.mark.parametrize(
    "fault",
    [AnswerLost(), NotHeard(), Twice(), Slow(10), Refused(429), Refused(500), Refused(503)],
    ids=repr,
)
@scenario
async def test_a_create_that_goes_wrong(world, fault):
    world.connection.next("create_pod", fault)
    await world.built(await world.watch(), within=60)
    assert len(world.cluster.created) == 1


@scenario
async def test_an_api_server_comes_back_that_has_no_roles_yet(world):
    world.cluster.away = NO_ROLES
    asyncio.get_running_loop().call_later(1.2, setattr, world.cluster, "away", None)
    viewers = [await world.watch(repo) for repo in range(8)]
    for viewer in viewers:
        await world.built(viewer)
        assert len(viewer.lines) > 20
        assert viewer.gaps == []


@scenario
async def test_an_image_builder_that_may_not_create_pods(world):
    world.connection.weather = lambda verb: (
        Refused(403, "pods is forbidden") if verb == "create_pod" else None
    )
    message = await world.failed(await world.watch(), Reason.EXECUTOR_LOST, within=20)
    assert "pods is forbidden" in message
    assert world.cluster.created == []


@scenario
async def test_a_create_whose_answer_is_lost_until_the_build_has_failed(world):
    world.cluster.program = lambda _: FAILS
    world.connection.next("create_pod", AnswerLost())
    await world.failed(await world.watch(), Reason.BUILD_FAILED, within=60)
    assert len(world.cluster.created) == 1


@scenario
async def test_creates_whose_answers_are_all_lost(world):
    world.connection.next("create_pod", AnswerLost())
    world.connection.next("get_pod", *[NotHeard()] * 3)
    viewer = await world.watch()
    await world.ended(viewer, within=300)
    # whatever became of the request, the pod is looked after
    await asyncio.sleep(200)
    assert len(world.cluster.created) == 1


@scenario
async def test_a_name_that_is_taken_and_free_a_moment_later(world):
    world.connection.next("create_pod", Refused(409, "already exists"))
    await world.built(await world.watch())


@scenario
async def test_a_name_that_is_always_taken_by_nobody(world):
    world.connection.next("create_pod", *[Refused(409, "already exists")] * 30)
    await world.failed(await world.watch(), Reason.EXECUTOR_LOST, within=100)


@pytest.mark.parametrize("code", [401, 403, 422])
@scenario
async def test_a_create_that_is_not_allowed(world, code):
    world.connection.next("create_pod", *[Refused(code, "exceeded quota")] * 5)
    viewer = await world.watch()
    await world.ended(viewer)
    assert viewer.end.reason in (Reason.EXECUTOR_LOST, Reason.QUOTA)


@scenario
async def test_a_failed_pod_that_was_left_under_the_name(world):
    world.cluster.program = lambda _: FAILS
    viewer = await world.watch()
    await world.until_running()
    world.kill()
    await asyncio.sleep(30)
    world.cluster.program = lambda _: GOOD
    await world.start()
    await world.failed(viewer, Reason.BUILD_FAILED)
    world.pods_per_build = 2
    await world.built(await world.watch(owner="bob"))


@scenario
async def test_two_keys_whose_names_share_an_ending(world):
    world.provider.commits[url(0), "main"] = "1" * 35 + COMMIT[:5]
    world.provider.commits[url(0), "next"] = "2" * 35 + COMMIT[:5]
    first = world.view(await world.ask_ref(0, "main"))
    second = world.view(await world.ask_ref(0, "next"))
    assert first.build_id != second.build_id
    await world.built(first)
    await world.built(second)
    assert first.end.digest != second.end.digest
    assert len({pod["metadata"]["name"] for pod in world.cluster.created}) == 2


@scenario
async def test_the_name_belongs_to_another_build(world):
    build = await world.ask()
    await world.until_running()
    claim = dataclasses.replace(build.request, key="f" * 64, id="another")
    with pytest.raises(Exception, match="Another pod has the name"):
        await world.process.executor.claim(claim)


@pytest.mark.parametrize("fault", [AnswerLost(), NotHeard(), Twice(), Refused(500)], ids=repr)
@scenario
async def test_a_delete_that_goes_wrong(world, fault):
    world.connection.next("delete_pod", fault)
    await world.built(await world.watch())


@scenario
async def test_kubernetes_is_away_while_a_cancel_comes(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    world.cluster.away = AWAY
    world.connection.cut_off()
    cancelling = asyncio.create_task(world.cancel(viewer.build_id))
    await world.failed(viewer, Reason.CANCELLED, within=30)
    await cancelling
    await asyncio.sleep(100)
    assert world.cluster.left(), "it could not be removed yet"
    world.cluster.away = None


@scenario
async def test_a_request_right_behind_a_cancel(world):
    world.cluster.program = lambda _: LONG
    viewer = await world.watch()
    await world.until_running()
    cancelling = asyncio.create_task(world.cancel(viewer.build_id))
    await asyncio.sleep(0.0001)
    world.cluster.program = lambda _: GOOD
    world.pods_per_build = 2
    again = await world.watch(owner="bob")
    await cancelling
    await world.failed(viewer, Reason.CANCELLED)
    await world.built(again)


@scenario
async def test_kubernetes_is_away_when_somebody_asks(world):
    world.cluster.away = AWAY
    viewer = await world.watch()
    await world.failed(viewer, Reason.EXECUTOR_LOST, within=30)
    world.cluster.away = None
    await world.built(await world.watch())


@scenario
async def test_kubernetes_is_away_when_the_service_starts(world):
    await world.stop(world.process)
    world.cluster.away = AWAY
    starting = asyncio.create_task(world.start())
    await asyncio.sleep(60)
    assert not starting.done()
    world.cluster.away = None
    await starting
    await world.built(await world.watch())


@pytest.mark.parametrize("apart", [0.0, 0.001, 0.003, 0.1, 1.0, 5.0, 8.0, 9.5])
@scenario
async def test_two_services_at_once(world, apart):
    first = world.process
    second = await world.start()
    builds = [asyncio.create_task(world.ask(process=first))]
    await asyncio.sleep(apart)
    builds.append(asyncio.create_task(world.ask(owner="bob", process=second)))
    ends = [await _end(await asking) for asking in builds]
    assert len(world.cluster.created) == 1
    assert len({end.digest for end in ends}) == 1
    assert ends[0].digest


async def _end(build):
    async with asyncio.timeout(60):
        return [event async for event in build.events()][-1]


@scenario
async def test_one_key_asked_for_a_hundred_times(world):
    asking = [asyncio.create_task(world.ask(owner=f"user-{n}")) for n in range(100)]
    builds = await asyncio.gather(*asking)
    assert len({build.id for build in builds}) == 1
    await world.built(world.view(builds[0]))
    assert len(world.cluster.created) == 1
    assert world.cluster.calls["create_pod"] == 1


@scenario
async def test_sixty_five_builds_under_a_limit(world):
    world.limits = QueueLimits(running=10)
    await world.restart()
    most = 0

    async def count():
        nonlocal most
        while True:
            most = max(most, len(world.cluster.left()))
            await asyncio.sleep(0.5)

    counting = asyncio.create_task(count())
    viewers = [await world.watch(n, owner=f"user-{n % 5}") for n in range(65)]
    assert any("position" in said for said in viewers[-1].said or [""]) or not viewers[-1].events
    for viewer in viewers:
        await world.built(viewer, within=600)
    assert any("position" in said for said in viewers[-1].said)
    counting.cancel()
    await asyncio.wait({counting})
    assert len(world.cluster.created) == 65
    # those that are over linger
    assert most <= 65


@scenario
async def test_an_executor_that_cannot_say_what_there_is(world):
    world.cluster.away = AWAY
    asyncio.get_running_loop().call_later(3.0, setattr, world.cluster, "away", None)
    world.kill()
    starting = asyncio.create_task(world.start())
    await asyncio.sleep(0.5)
    assert not starting.done()
    await starting
    await world.built(await world.watch())
