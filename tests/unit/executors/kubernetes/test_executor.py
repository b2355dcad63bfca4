from __future__ import annotations

import asyncio
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds.ports import ClaimState
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from tests.unit.executors.requests import make_request

from .clock import settle


async def test_an_answer_that_was_lost_is_not_a_stranger(world):
    """The pod was created, the connection broke: the next attempt meets our own pod."""
    request = make_request()
    created = world.api.create_pod

    async def lose_the_answer(manifest):
        world.api.create_pod = created
        await created(manifest)
        raise ApiError("connection reset")

    world.api.create_pod = lose_the_answer
    claiming = asyncio.create_task(world.executor.claim(request))
    await world.clock.advance(5)

    assert claiming.done()
    assert (await claiming).state is ClaimState.CREATED
    assert len(world.api.pods) == 1


async def test_a_name_that_came_free_again_is_taken(world):
    request = make_request()
    world.api.failures["create_pod"] = [ApiError("exists", 409)]
    claiming = asyncio.create_task(world.executor.claim(request))
    await world.clock.advance(5)

    assert (await claiming).state is ClaimState.CREATED


async def test_a_pod_that_is_being_deleted_is_waited_for(world):
    request = make_request()
    world.api.keep_terminating = True
    old = await world.executor.claim(request)
    await world.executor.remove(old)
    claiming = asyncio.create_task(world.executor.claim(dataclasses.replace(request, id="b")))
    await world.clock.advance(30)
    assert not claiming.done()

    world.api.vanish(request.name)
    await settle()

    assert claiming.done()
    gone = await claiming
    assert (gone.state, gone.uid) == (ClaimState.GONE, old.uid)
    new = await world.executor.claim(dataclasses.replace(request, id="b"))
    assert (new.state, new.request.id) == (ClaimState.CREATED, "b")
    assert new.uid != old.uid


@pytest.mark.parametrize("successor", [False, True])
async def test_it_is_waited_for_without_a_watch_too(world, successor):
    request = make_request()
    world.api.keep_terminating = True
    old = await world.executor.claim(request)
    await world.executor.remove(old)
    claiming = asyncio.create_task(world.executor.claim(request))
    await settle()
    world.api.vanish(request.name, silently=True)
    if successor:
        other = world.new_executor()
        await other.claim(dataclasses.replace(request, id="other"))
    await world.clock.advance(6)

    assert (await claiming).state is ClaimState.GONE
    claim = await world.executor.claim(request)
    assert claim.uid != old.uid
    assert claim.state is (ClaimState.RUNNING if successor else ClaimState.CREATED)


async def test_a_pod_that_is_never_gone_is_given_up(world):
    request = make_request()
    world.api.keep_terminating = True
    await world.executor.remove(await world.executor.claim(request))
    claiming = asyncio.create_task(world.executor.claim(request))
    await world.clock.advance(130)

    with pytest.raises(BuildFailed, match="still being deleted"):
        await claiming


async def test_a_pod_of_someone_else_is_left_alone(world):
    request = make_request()
    stranger = {"metadata": {"name": request.name}, "spec": {}}
    await world.api.create_pod(stranger)

    with pytest.raises(BuildFailed) as refused:
        await world.executor.claim(request)

    assert refused.value.reason is Reason.EXECUTOR_LOST
    assert await world.executor.found() == []


@pytest.mark.parametrize(
    ("code", "words", "kind", "reason"),
    [
        (403, "pods x is forbidden: exceeded quota: q", BuildFailed, Reason.QUOTA),
        (403, "violates PodSecurity", ExecutorUnavailable, Reason.EXECUTOR_LOST),
        (422, "spec.x: Invalid value", ExecutorUnavailable, Reason.EXECUTOR_LOST),
    ],
)
async def test_a_refusal_says_why(world, code, words, kind, reason):
    world.api.failures["create_pod"] = [ApiError("refused", code, words)]

    with pytest.raises(kind, match=words[:20]) as refused:
        await world.executor.claim(make_request())

    assert refused.value.reason is reason


async def test_an_api_server_that_is_away_is_tried_a_few_times(world):
    world.api.failures["create_pod"] = [ApiError("away", 503)] * 9
    claiming = asyncio.create_task(world.executor.claim(make_request()))
    await world.clock.advance(60)

    with pytest.raises(ExecutorUnavailable):
        await claiming
    assert world.api.calls["create_pod"] == 4


@pytest.mark.parametrize("pod_too", [False, True])
async def test_an_api_server_that_has_no_roles_yet_is_asked_again(world, pod_too):
    words = 'pods is forbidden: User "x" cannot create resource "pods"'
    world.api.failures["create_pod"] = [ApiError("refused", 403, words)] * 3
    if pod_too:
        world.api.failures["get_pod"] = [ApiError("refused", 403, words)] * 2
    claiming = asyncio.create_task(world.executor.claim(make_request()))
    await world.clock.advance(20)

    assert claiming.done()
    assert (await claiming).state is ClaimState.CREATED


@pytest.mark.parametrize("pod_too", [False, True])
async def test_but_a_refusal_that_lasts_is_one(world, pod_too):
    words = 'pods is forbidden: User "x" cannot create resource "pods"'
    world.api.failures["create_pod"] = [ApiError("refused", 403, words)] * 99
    if pod_too:
        world.api.failures["get_pod"] = [ApiError("refused", 403, words)] * 99
    claiming = asyncio.create_task(world.executor.claim(make_request()))
    await world.clock.advance(1)
    assert not claiming.done()
    await world.clock.advance(30)

    assert claiming.done()
    with pytest.raises(ExecutorUnavailable, match="refuses the build pod") as refused:
        await claiming
    assert "cannot create" in refused.value.message


async def test_a_refusal_that_only_hides_what_is_there_is_told(world):
    request = make_request()
    await world.executor.claim(request)
    world.api.failures["get_pod"] = [ApiError("Kubernetes refuses", 403, "cannot get")] * 99
    claiming = asyncio.create_task(world.executor.claim(request))
    await world.clock.advance(60)

    with pytest.raises(ExecutorUnavailable, match="Kubernetes refuses"):
        await claiming


ENGINE = {
    "metadata": {},
    "spec": {"nodeName": "node-7"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


async def test_engines_that_could_not_be_listed_are_asked_for_anew(world):
    world.api.engines = [ENGINE]
    world.api.failures["list_pods"] = [ApiError("forbidden", 403)]
    first, second = make_request(), make_request("git://example.org/other")
    await world.executor.claim(first)
    await world.executor.claim(second)

    assert "affinity" not in world.api.pods[first.name]["spec"]
    assert "affinity" in world.api.pods[second.name]["spec"]


async def test_a_pod_that_was_refused_at_first_goes_where_an_engine_is(world):
    world.api.engines = [ENGINE]
    world.api.failures["list_pods"] = [ApiError("forbidden", 403)]
    world.api.failures["create_pod"] = [ApiError("refused", 403, "cannot create")]
    request = make_request()
    claiming = asyncio.create_task(world.executor.claim(request))
    await world.clock.advance(20)

    assert claiming.done()
    assert "affinity" in world.api.pods[request.name]["spec"]


async def test_builds_that_wait_for_engines_share_an_answer_that_fails(world):
    listing = asyncio.Event()

    async def fail(*_, **__):
        world.api.calls["list_engines"] += 1
        await listing.wait()
        raise ApiError("away")

    world.api.list_pods = fail
    requests = [make_request(f"git://example.org/{n}") for n in range(20)]
    claiming = [asyncio.create_task(world.executor.claim(request)) for request in requests]
    await settle()
    await world.clock.advance(4)
    listing.set()
    await asyncio.gather(*claiming)

    assert world.api.calls["list_engines"] == 1


async def test_builds_go_where_an_engine_is_ready(world):
    world.api.engines = [
        {
            "metadata": {},
            "spec": {"nodeName": "node-7"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
    ]
    first, second = make_request(), make_request("git://example.org/other")
    await world.executor.claim(first)
    await world.executor.claim(second)

    required = world.api.pods[first.name]["spec"]["affinity"]["nodeAffinity"]
    terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-7"]}]}
    ]
    # one for the watch, one for the engines of both builds
    assert world.api.calls["list_pods"] == 2


async def test_builds_start_although_engines_cannot_be_listed(world):
    world.api.failures["list_pods"] = [ApiError("forbidden", 403)]

    claim = await world.executor.claim(make_request())

    assert claim.state is ClaimState.CREATED
    assert "affinity" not in world.api.pods[claim.request.name]["spec"]


async def test_a_new_service_finds_what_the_old_one_left(world):
    running, finished, going = (make_request(f"git://example.org/{n}") for n in "abc")
    for request in (running, finished, going):
        await world.executor.claim(request)
    world.api.finish(finished.name)
    world.api.keep_terminating = True
    await world.executor.remove(next(c for c in await world.executor.found() if c.request == going))
    other = world.new_executor()

    found = {claim.request: claim.state for claim in await other.found()}

    assert found == {running: ClaimState.RUNNING, finished: ClaimState.FINISHED}
    assert await world.new_executor(instance="another").found() == []


async def test_what_changes_the_image_is_part_of_the_key(world):
    settings = world.executor.build_settings
    other = world.new_executor(build_image="r2d:2").build_settings

    assert settings != other
    assert world.executor.platform == "linux/amd64"
    assert world.new_executor(push_secret="x", deadline=5).build_settings == settings


async def test_the_users_taints_are_tolerated(world):
    claim = await world.executor.claim(make_request())
    spec = world.api.pods[claim.request.name]["spec"]

    assert [t["key"] for t in spec["tolerations"]] == [
        "hub.jupyter.org/dedicated",
        "hub.jupyter.org_dedicated",
    ]


async def test_to_close_it_leaves_no_task(world):
    before = asyncio.all_tasks()
    other = world.new_executor()
    await other.start()
    await other.start()
    await settle()
    assert len(asyncio.all_tasks()) == len(before) + 1
    await other.close()

    assert asyncio.all_tasks() == before


async def test_to_look_for_builds_costs_nothing_while_the_watch_stands(world):
    request = make_request()
    claim = await world.executor.claim(request)
    world.api.calls.clear()

    for _ in range(3):
        found = await world.executor.found()
        assert [(item.uid, item.state) for item in found] == [(claim.uid, ClaimState.RUNNING)]
    world.api.finish(request.name)
    await settle()
    assert [item.state for item in await world.executor.found()] == [ClaimState.FINISHED]
    assert world.api.calls.total() == 0

    world.api.keep_terminating = True
    await world.executor.remove(claim)
    assert await world.executor.found() == []


async def test_what_is_known_no_more_is_asked_for(world):
    other = world.new_executor()
    await world.executor.claim(make_request())
    world.api.calls.clear()

    assert len(await other.found()) == 1
    world.api.failures["list_pods"] = [ApiError("away", 503)]
    with pytest.raises(ExecutorUnavailable):
        await other.found()
    assert world.api.calls["list_pods"] == 2


async def test_an_answer_that_was_lost_until_the_build_had_ended_is_our_build_too(world):
    request = make_request()
    await world.executor.claim(request)
    world.api.finish(request.name, code=1)

    assert (await world.executor.claim(request)).state is ClaimState.CREATED
    again = await world.executor.claim(dataclasses.replace(request, id="another"))
    assert again.state is ClaimState.FINISHED
