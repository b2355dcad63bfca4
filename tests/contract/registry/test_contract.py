"""What every registry keeps to, the fake of the unit tests included."""

from __future__ import annotations

import dataclasses
import functools
import inspect

import pytest

from jupyterhub_imagebuilder.errors import Reason, RegistryDenied, RegistryUnavailable
from tests.fakes.registries.dialects import DIALECTS
from tests.unit.registry.stub import INDEX

from .worlds import BoxWorld, EcrWorld, FakeWorld, RealWorld, StubWorld

WORLDS = {
    "fake": FakeWorld,
    "fake-cached": lambda: FakeWorld(cached=True),
    "open": lambda: StubWorld(None),
    "basic": lambda: StubWorld("basic"),
    "bearer": lambda: StubWorld("bearer"),
    "index": lambda: StubWorld("bearer", INDEX),
    "flaky": lambda: StubWorld("basic", faults=[503, 503]),
    **{name: functools.partial(BoxWorld, name) for name in DIALECTS},
    "harbor-cached": lambda: BoxWorld("harbor", cached=True),
    "ecr": EcrWorld,
    "real": RealWorld,
    "real-index": lambda: RealWorld(INDEX),
}


def _param(name):
    marks = [pytest.mark.cluster] if name.startswith("real") else []
    return pytest.param(name, marks=marks)


@pytest.fixture(params=map(_param, WORLDS))
async def world(request):
    world = WORLDS[request.param]()
    await world.start()
    yield world
    await world.stop()


async def test_digest_of_an_image_that_is_there(world):
    registry = world.registry()
    assert await registry.digest(world.image) == world.digest
    assert await registry.digest(world.image) == world.digest


async def test_no_digest_of_an_absent_tag(world):
    absent = dataclasses.replace(world.image, tag="absent")
    assert await world.registry().digest(absent) is None


async def test_no_digest_in_an_absent_repository(world):
    absent = dataclasses.replace(world.image, repository=world.image.repository + "-absent")
    assert await world.registry().digest(absent) is None


async def test_down_is_not_absent(world):
    registry = world.down()
    with pytest.raises(RegistryUnavailable) as caught:
        await registry.digest(world.image)
    assert caught.value.reason is Reason.REGISTRY_UNAVAILABLE
    with pytest.raises(RegistryUnavailable):
        await registry.check()


async def test_wrong_password_is_not_absent(world):
    registry = world.wrong_password()
    with pytest.raises(RegistryDenied) as caught:
        await registry.digest(world.image)
    assert caught.value.reason is Reason.REGISTRY_DENIED
    assert world.image.registry in caught.value.message
    with pytest.raises(RegistryDenied):
        await registry.check()


async def test_check_returns(world):
    assert await world.registry().check() is None


async def test_size_of_an_image_that_is_there(world):
    registry = world.registry()
    found = await registry.size(world.image, world.digest, "linux/amd64")
    # most of these images have manifests that say nothing of layers
    assert found == getattr(world, "size", None)


async def test_no_size_of_an_image_that_is_not_there(world):
    absent = "sha256:" + "1" * 64
    assert await world.registry().size(world.image, absent, "linux/amd64") is None


async def test_the_size_of_what_cannot_be_asked(world):
    with pytest.raises(RegistryUnavailable):
        await world.down().size(world.image, world.digest, "linux/amd64")
    with pytest.raises(RegistryDenied):
        await world.wrong_password().size(world.image, world.digest, "linux/amd64")


async def test_prepare_changes_nothing_that_is_there(world):
    registry = world.registry()
    assert await registry.prepare(world.image) is None
    assert await registry.digest(world.image) == world.digest


async def test_removed_image_is_absent(world):
    registry = world.registry()
    if world.deletes:
        assert await registry.digest(world.image) == world.digest
        assert await registry.remove(world.image) is None
        assert await registry.digest(world.image) is None
    else:
        with pytest.raises(RegistryDenied, match="delete"):
            await registry.remove(world.image)
        assert await registry.digest(world.image) == world.digest


async def test_removing_what_is_not_there_is_fine(world):
    registry = world.registry()
    await registry.remove(dataclasses.replace(world.image, tag="absent"))
    other = dataclasses.replace(world.image, repository=world.image.repository + "-absent")
    await registry.remove(other)
    assert await registry.digest(world.image) == world.digest


async def test_removing_never_takes_another_tag_along(world):
    if not hasattr(world, "same_again"):
        return  # its images have no content that two could share
    other = world.same_again("2")
    other = await other if inspect.isawaitable(other) else other
    registry = world.registry()
    try:
        await registry.remove(world.image)
    except RegistryDenied:
        assert await registry.digest(world.image) == world.digest
    else:
        assert await registry.digest(world.image) is None
    assert await registry.digest(other) == world.digest


async def test_removing_from_one_that_is_down(world):
    with pytest.raises(RegistryUnavailable):
        await world.down().remove(world.image)
