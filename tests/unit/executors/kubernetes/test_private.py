"""Builds of private repositories: the Secret, and a pod whose fetcher comes first."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.ports import ClaimState, Ended
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason
from jupyterhub_imagebuilder.executors.kubernetes import verdict
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.providers.forge import CloneLogin
from tests.unit.executors.requests import make_request

from .clock import settle

URL = "https://git.example.org/team/secret"


@pytest.fixture
def request_(world):
    world.executor.login_of = lambda _: CloneLogin(URL, "oauth2", "the-token", "")
    return make_request(URL)


def fetcher_is(world, name, state, **builder):
    world.api.pods[name]["spec"]["nodeName"] = "node-1"
    world.api.change(
        name,
        initContainerStatuses=[{"name": "fetcher", "state": state}],
        containerStatuses=[
            {"name": "builder", "state": builder or {"waiting": {"reason": "PodInitializing"}}}
        ],
    )


async def test_a_secret_is_made_for_the_pod(world, request_):
    claim = await world.executor.claim(request_)

    (secret,) = world.api.created_secrets
    assert secret["metadata"]["ownerReferences"][0]["uid"] == claim.uid
    assert "the-token" not in repr(world.api.pods)
    assert world.api.calls["create_secret"] == 1


async def test_a_public_repository_costs_no_more_than_before(world):
    await world.executor.claim(make_request())

    assert world.api.calls["create_secret"] == 0


async def test_a_pod_without_its_login_does_not_stay(world, request_):
    world.api.failures["create_secret"] = [ApiError("no", 403, "secrets is forbidden")] * 10
    claiming = asyncio.create_task(world.executor.claim(request_))
    await world.clock.advance(60)

    with pytest.raises(ExecutorUnavailable, match="allow the image builder to create Secrets"):
        await claiming
    assert world.api.pods == {}


async def test_a_refusal_that_passes_is_none(world, request_):
    world.api.failures["create_secret"] = [ApiError("no", 403, "secrets is forbidden")] * 2
    claiming = asyncio.create_task(world.executor.claim(request_))
    await world.clock.advance(10)

    assert (await claiming).state is ClaimState.CREATED
    assert len(world.api.created_secrets) == 1


async def test_kubernetes_going_away_meanwhile_is_told_as_that(world, request_):
    world.api.failures["create_secret"] = [ApiError("Kubernetes does not answer.")]
    world.api.failures["delete_pod"] = [ApiError("Kubernetes does not answer.")]

    with pytest.raises(ExecutorUnavailable, match="does not answer"):
        await world.executor.claim(request_)


async def test_who_meets_a_pod_that_waits_for_its_login_brings_it(world, request_):
    world.api.failures["create_secret"] = [ApiError("Kubernetes does not answer.")]
    world.api.failures["delete_pod"] = [ApiError("Kubernetes does not answer.")]
    with pytest.raises(ExecutorUnavailable):
        await world.executor.claim(request_)

    claim = await world.executor.claim(request_)

    (secret,) = world.api.created_secrets
    assert secret["metadata"]["ownerReferences"][0]["uid"] == claim.uid
    volumes = world.api.pods[request_.name]["spec"]["volumes"]
    assert secret["metadata"]["name"] in repr(volumes)


async def test_a_token_that_cannot_be_read_starts_nothing(world, request_):
    def unreadable(_):
        raise BuildFailed("No token.", Reason.PROVIDER_UNAVAILABLE)

    world.executor.login_of = unreadable
    with pytest.raises(BuildFailed, match="No token"):
        await world.executor.claim(request_)
    assert world.api.calls["create_pod"] == 0


async def test_a_fetch_may_take_longer_than_a_start(world, request_):
    claim = await world.executor.claim(request_)
    said = world.follow(claim)
    await settle()
    fetcher_is(world, request_.name, {"running": {}})
    await world.clock.advance(world.executor.node_wait + 10)
    assert "The private repository is being fetched." in [
        item.message for item in said if isinstance(item, PhaseChanged)
    ]
    assert world.api.calls["pod_events"] == 0

    fetcher_is(world, request_.name, {"terminated": {"exitCode": 0}})
    await world.clock.advance(2)
    world.api.run(request_.name)
    world.api.log(request_.name, "built")
    world.api.finish(request_.name)
    await world.clock.advance(2)

    assert said[-1] == Ended(None)


async def test_an_image_that_cannot_be_pulled_is_told_of_the_fetcher_too(world, request_):
    claim = await world.executor.claim(request_)
    said = world.follow(claim)
    await settle()
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
    fetcher_is(world, request_.name, waiting)
    await world.clock.advance(world.executor.pull_grace + 5)

    assert said[-1].error.reason is Reason.IMAGE_PULL
    assert "manifest unknown" in said[-1].error.message


@pytest.mark.parametrize(
    ("terminated", "reason"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, Reason.OUT_OF_MEMORY),
        ({"exitCode": 1, "message": "OSError: No space left on device"}, Reason.DISK_FULL),
    ],
)
def test_a_fetcher_that_falls_over_is_the_end(terminated, reason):
    pod = {
        "metadata": {},
        "spec": {},
        "status": {
            "phase": "Failed",
            "initContainerStatuses": [{"name": "fetcher", "state": {"terminated": terminated}}],
            "containerStatuses": [{"name": "builder", "state": {"waiting": {}}}],
        },
    }

    assert verdict.ending(pod, (), pushing=False).reason is reason
