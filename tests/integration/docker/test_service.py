"""The domain's service over the executor and its images: one machine, and no registry."""

from __future__ import annotations

import asyncio
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
    url = harness.request(name := repository("echo done")).spec.repository
    commit = harness.request(name).resolved.commit
    found = BuildService(
        providers=[FakeProvider({(url, "HEAD"): commit})],
        registry=harness.executor.images,
        executor=harness.executor,
        policy=SpecPolicy(),
        settings=BuildSettings(image_prefix="imagebuilder-test/"),
        clock=SystemClock(),
    )
    yield found, url, harness.executor.images
    await found.stop()


async def end(build):
    return [event async for event in build.events()][-1]


async def test_an_image_is_built_found_and_built_again(service, engine):
    builds, url, images = service

    first = await builds.request(url, WASH)
    last = await end(first)
    again = await builds.request(url, WASH)

    assert (last.phase, last.message) == (Phase.BUILT, "The image is built")
    assert again.over
    assert again.digest == first.digest
    with contextlib.closing(engine.client()) as client:
        assert client.inspect_image(str(first.request.image))["Id"] == first.digest
        client.remove_image(str(first.request.image), force=True)
    assert await images.digest(first.request.image) is None
    await asyncio.sleep(0.5)  # who asks in the moment of a build's end is told of that one
    third = await builds.request(url, WASH)
    assert not third.over
    assert (await end(third)).phase is Phase.BUILT
    assert third.id != first.id
