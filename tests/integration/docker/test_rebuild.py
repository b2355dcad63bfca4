"""An image that is there is built again on a real engine: the tag moves, the old one stays."""

from __future__ import annotations

import contextlib

import pytest

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.clock import SystemClock
from tests.fakes.provider import FakeProvider

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]

WASH = Owner("wash")


@pytest.fixture
async def service(harness, repository):
    url = harness.request(name := repository("date +%N > /moment")).spec.repository
    commit = harness.request(name).resolved.commit
    found = BuildService(
        providers=[FakeProvider({(url, "HEAD"): commit})],
        registry=harness.executor.images,
        executor=harness.executor,
        policy=SpecPolicy(),
        settings=BuildSettings(image_prefix="imagebuilder-test/"),
        clock=SystemClock(),
    )
    yield found, url
    await found.stop()


async def end(build):
    return [event async for event in build.events()][-1]


async def test_it_is_carried_out_again_although_the_image_is_there(service, engine):
    builds, url = service
    first = await builds.request(url, WASH)
    assert (await end(first)).phase is Phase.BUILT
    with contextlib.closing(engine.client()) as client:
        client.prune_builds()  # else the engine has nothing to do

    second = await builds.rebuild(first.id, WASH)
    meanwhile = await builds.request(url, WASH)
    last = await end(second)

    assert (meanwhile.over, meanwhile.digest) == (True, first.digest)
    assert (last.phase, second.cached) == (Phase.BUILT, False)
    assert second.uid not in {None, first.uid}
    assert (await builds.request(url, WASH)).digest == second.digest
    with contextlib.closing(engine.client()) as client:
        assert client.inspect_image(str(second.request.image))["Id"] == second.digest
