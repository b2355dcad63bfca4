"""The domain's service over the executor: what is lost where the service stops in mid-pull."""

from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from tests.fakes.provider import FakeProvider
from tests.fakes.store import MemoryStore
from tests.unit.executors.kubernetes.clock import settle

URL = "git://example.org/hello"


@pytest.fixture
async def start(world):
    store = MemoryStore()
    started = []

    def begin():
        world.executor = world.new_executor()
        found = BuildService(
            providers=[FakeProvider({(URL, "HEAD"): "a" * 40})],
            registry=world.executor.images,
            executor=world.executor,
            policy=SpecPolicy(),
            settings=BuildSettings(image_prefix="imagebuilder/"),
            clock=world.clock,
            store=store,
        )
        started.append(found)
        return found

    yield begin
    for service in started:
        await service.stop()


async def test_a_build_whose_image_was_being_pulled_is_started_again(world, start):
    (image,) = world.engine.there
    world.engine.there.clear()
    world.engine.gate.clear()
    first = start()
    await first.take_up()
    asked = await first.request(URL, Owner("wash"))
    await settle()
    assert world.engine.pulls == [image]
    await first.stop()
    await world.executor.close()

    second = start()
    await second.take_up()
    await settle()
    assert world.engine.pulls == [image, image]
    world.engine.gate.set()
    await settle()
    name = asked.request.name
    world.engine.there.add(str(asked.request.image))
    world.engine.finish(name)
    await settle()
    build = await second.get(asked.id, Owner("wash"))

    assert build.phase is Phase.BUILT, build.message
