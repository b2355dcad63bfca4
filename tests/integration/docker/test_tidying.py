"""Old images go, on a real engine; nobody else's do."""

from __future__ import annotations

import contextlib
import io
import os
import uuid

import pytest

from jupyterhub_imagebuilder.builds.ports import Ended
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.engine import Engine
from jupyterhub_imagebuilder.executors.docker.tidying import Limits, Tidier

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(300)]

# longer than the engine itself can tell
HOUR, FOREVER, ANY = 3600.0, 1e12, 10**15


class LaterClock(SystemClock):
    """So many seconds ahead."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead


class World:
    """Images of ours, made as builds make them, and one engine to tidy."""

    def __init__(self, engine) -> None:
        self.client = engine.client()
        self.instance = f"test-{uuid.uuid4().hex[:8]}"
        self.engine = Engine(engine.host)
        self.base = f"{os.environ['IB_OPEN_REGISTRY']}/base:1"
        self.client.pull(self.base)

    def image(self, name: str, *, step: str = "", base: str = "", ours: bool = True) -> str:
        """Build an image with the classic builder; its id."""
        lines = [f"FROM {base or self.base}"]
        if ours:
            lines.append(f"LABEL {container.INSTANCE}={self.instance} {container.IMAGE}={name}")
        lines.append(f"RUN : {uuid.uuid4().hex}; {step or 'true'}")
        for item in self.client.build(
            fileobj=io.BytesIO("\n".join(lines).encode()), tag=name, rm=True, decode=True
        ):
            assert "error" not in item, item
        return self.client.inspect_image(name)["Id"]

    def tidier(self, *, ahead=0.0, age=FOREVER, size=ANY, cache=-1) -> Tidier:
        label = f"{container.INSTANCE}={self.instance}"
        limits = Limits(age, size, cache)
        return Tidier(self.engine, LaterClock(ahead), label=label, limits=limits)

    def there(self, image: str) -> bool:
        try:
            self.client.inspect_image(image)
        except Exception:  # noqa: BLE001 -- not found
            return False
        return True

    async def close(self) -> None:
        for found in self.client.containers(all=True):
            self.client.remove_container(found["Id"], force=True)
        for image in self.client.images(filters={"label": container.INSTANCE}):
            with contextlib.suppress(Exception):
                self.client.remove_image(image["Id"], force=True)
        await self.engine.close()
        self.client.close()


@pytest.fixture
async def world(engine):
    found = World(engine)
    yield found
    await found.close()


async def test_what_nobody_uses_goes_when_it_is_old(world):
    old, used = "imagebuilder/old:1", "imagebuilder/used:1"
    world.image(old)
    world.image(used)
    stopped = world.client.create_container(used, ["true"])

    assert await world.tidier(ahead=HOUR, age=2 * HOUR).tidy() == []
    assert await world.tidier(ahead=3 * HOUR, age=2 * HOUR).tidy() == [old]

    assert not world.there(old)
    assert world.there(used)
    world.client.remove_container(stopped["Id"])
    assert await world.tidier(ahead=3 * HOUR, age=2 * HOUR).tidy() == [used]


async def test_what_was_in_use_lately_stays(world):
    name = "imagebuilder/used:1"
    world.image(name)
    running = world.client.create_container(name, ["sleep", "60"])
    tidier = world.tidier(ahead=3 * HOUR, age=2 * HOUR)
    assert await tidier.tidy() == []
    world.client.remove_container(running["Id"], force=True)

    assert await tidier.tidy() == []
    tidier._clock.ahead += 2 * HOUR
    assert await tidier.tidy() == [name]


async def test_images_of_others_are_never_touched(world):
    theirs, ours = "theirs/own:1", "imagebuilder/ours:1"
    derived, renamed = "theirs/derived:1", "theirs/kept:1"
    world.image(theirs, ours=False)
    kept = world.image(ours)
    world.image(derived, base=ours, ours=False)  # inherits our labels
    world.client.tag(kept, "theirs/kept", "1")
    untagged = world.image("theirs/loose:1", base=ours, ours=False)
    world.client.remove_image("theirs/loose:1", noprune=True, force=True)
    dangling = world.there(untagged)

    assert await world.tidier(ahead=30 * 24 * HOUR, age=HOUR, size=0).tidy() == [ours]

    assert not world.there(ours)
    assert all(map(world.there, (theirs, derived, renamed, world.base)))
    assert world.there(untagged) is dangling


async def test_too_much_is_brought_down_the_oldest_first(world):
    names = [f"imagebuilder/big:{number}" for number in range(3)]
    for name in names:
        world.image(name, step="head -c 20000000 /dev/urandom > /opt/data")
    base = world.client.inspect_image(world.base)["Size"]

    assert await world.tidier(size=base + 50_000_000).tidy() == []  # all of it is new
    tidier = world.tidier(ahead=2 * HOUR, size=base + 50_000_000)
    assert await tidier.tidy() == names[:1]
    assert await tidier.tidy() == []
    assert [world.there(name) for name in names] == [False, True, True]


async def test_what_failed_builds_left_goes(world):
    world.image("imagebuilder/again:1")
    first = world.client.inspect_image("imagebuilder/again:1")["Id"]
    world.image("imagebuilder/again:1")
    assert world.there(first)

    assert await world.tidier(ahead=60, age=2 * HOUR).tidy() == []
    assert await world.tidier(ahead=90 * 60, age=2 * HOUR).tidy() == [first]
    assert world.there("imagebuilder/again:1")


async def test_the_build_cache_is_bounded(harness, world, repository):
    harness.executor.buildx_args = ["--provenance=false"]
    step = "head -c 30000000 /dev/urandom > /opt/data; rm /opt/data; true"
    claim = await harness.executor.claim(harness.request(repository(step)))
    async for last in harness.executor.follow(claim):
        said = last
    assert said == Ended(None)

    def cached() -> int:
        records = world.client.df()["BuildCache"] or []
        return sum(item["Size"] for item in records if not item["Shared"] and not item["InUse"])

    world.client.prune_images({"dangling": True})
    before = cached()
    await world.tidier(cache=-1).tidy()
    assert cached() == before > 0
    await world.tidier(cache=10**12).tidy()
    assert cached() > 0
    await world.tidier(cache=0).tidy()
    assert cached() == 0
