from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryUnavailable, ServiceUnavailable
from jupyterhub_imagebuilder.registry import cache as cache_module
from jupyterhub_imagebuilder.registry.cache import CachedRegistry
from tests.fakes.registry import FakeRegistry

IMAGE = ImageName("registry.example.org", "team/app", "1")
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.fixture
def fake():
    return FakeRegistry({IMAGE: OLD})


@pytest.fixture
def cached(fake, clock):
    return CachedRegistry(fake, ttl=30, clock=clock)


class SlowRegistry(FakeRegistry):
    """Answers each question with what held when it was asked, when its gate opens."""

    def __init__(self, images):
        super().__init__(images)
        self.gates = []

    async def digest(self, image, *, fresh=False):
        answer = await super().digest(image, fresh=fresh)
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return answer


async def turn():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_answer_is_kept_for_the_ttl(fake, cached, clock):
    assert await cached.digest(IMAGE) == OLD
    fake.images[IMAGE] = NEW
    clock.time += 29.9
    assert await cached.digest(IMAGE) == OLD
    clock.time += 0.1
    assert await cached.digest(IMAGE) == NEW
    assert len(fake.asked) == 2


async def test_absence_is_not_kept(fake, cached):
    del fake.images[IMAGE]
    assert await cached.digest(IMAGE) is None
    fake.images[IMAGE] = NEW
    assert await cached.digest(IMAGE) == NEW


async def test_failure_is_not_kept(fake, cached):
    fake.failures = [RegistryUnavailable("Down.")]
    with pytest.raises(RegistryUnavailable):
        await cached.digest(IMAGE)
    assert await cached.digest(IMAGE) == OLD


async def test_fresh_asks_and_replaces(fake, cached):
    await cached.digest(IMAGE)
    fake.images[IMAGE] = NEW
    assert await cached.digest(IMAGE, fresh=True) == NEW
    assert await cached.digest(IMAGE) == NEW
    assert len(fake.asked) == 2


async def test_fresh_absence_forgets_what_was_kept(fake, cached):
    await cached.digest(IMAGE)
    del fake.images[IMAGE]
    assert await cached.digest(IMAGE, fresh=True) is None
    assert await cached.digest(IMAGE) is None


async def test_concurrent_look_ups_are_one_request(clock):
    slow = SlowRegistry({IMAGE: OLD})
    cached = CachedRegistry(slow, clock=clock)
    waiters = [asyncio.create_task(cached.digest(IMAGE)) for _ in range(50)]
    await turn()
    waiters[0].cancel()
    slow.gates[0].set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [OLD] * 49
    assert slow.asked == [IMAGE]


async def test_fresh_does_not_join_and_late_older_answer_does_not_win(clock):
    slow = SlowRegistry({IMAGE: OLD})
    cached = CachedRegistry(slow, clock=clock)
    before = asyncio.create_task(cached.digest(IMAGE))
    await turn()
    slow.images[IMAGE] = NEW
    after = asyncio.create_task(cached.digest(IMAGE, fresh=True))
    await turn()
    slow.gates[1].set()
    assert await after == NEW
    slow.gates[0].set()
    assert await before == OLD
    assert await cached.digest(IMAGE) == NEW


async def test_expired_entries_are_swept(monkeypatch, fake, cached, clock):
    monkeypatch.setattr(cache_module, "_SWEEP_AT", 10)
    for number in range(10):
        await cached.digest(ImageName("r", "a", str(number)))
    clock.time += 31
    await cached.digest(IMAGE)
    assert list(cached._entries) == [IMAGE]


async def test_check_is_passed_on(fake, cached):
    await cached.check()
    fake.down = RegistryUnavailable("Down.")
    with pytest.raises(RegistryUnavailable):
        await cached.check()
    assert fake.checks == 2


async def test_close_ends_look_ups(clock):
    cached = CachedRegistry(SlowRegistry({}), clock=clock)
    waiter = asyncio.create_task(cached.digest(IMAGE))
    await turn()
    await cached.close()
    with pytest.raises(ServiceUnavailable, match="stopping"):
        await waiter


async def test_removed_image_is_forgotten(start_stub, make_client, clock):
    stub = await start_stub()
    image, digest = stub.put()
    cached = CachedRegistry(make_client(stub), clock=clock)
    assert await cached.digest(image) == digest
    await cached.remove(image)
    assert await cached.digest(image) is None
    await cached.close()


async def test_question_asked_before_a_removal_is_not_remembered(start_stub, make_client, clock):
    stub = await start_stub()
    image, digest = stub.put()
    client = make_client(stub)
    cached = CachedRegistry(client, clock=clock)
    stub.hold = asyncio.Event()
    asking = asyncio.create_task(cached.digest(image))
    await stub.arrived.wait()
    stub.manifests.clear()

    async def removed(image):
        return None

    client.remove = removed
    await cached.remove(image)
    real, stub._manifest = (
        stub._manifest,
        lambda *_: web.Response(headers={"Docker-Content-Digest": digest}),
    )
    stub.hold.set()
    assert await asking == digest
    stub._manifest = real
    assert await cached.digest(image) is None
    await cached.close()
