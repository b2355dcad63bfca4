from __future__ import annotations

import json

import pytest

from jupyterhub_imagebuilder.errors import RegistryUnavailable
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from jupyterhub_imagebuilder.registry.sizes import image_of, layers_size
from tests.fakes.clock import InstantClock
from tests.unit.registry.stub import INDEX, OCI, StubRegistry, digest_of

AMD, ARM = "linux/amd64", "linux/arm64"


@pytest.fixture
async def stub():
    stub = StubRegistry()
    await stub.start()
    yield stub
    await stub.stop()


@pytest.fixture
async def registry(stub):
    registry = DistributionRegistry(host=stub.host, insecure=True, clock=InstantClock())
    yield registry
    await registry.close()


def put(stub, tag, media_type=OCI, **content):
    body = json.dumps({"schemaVersion": 2, "mediaType": media_type, **content}).encode()
    image, _ = stub.put(tag=tag)
    stub.manifests[image.repository, tag] = (media_type, body)
    return image, digest_of(body)


def layers(*sizes):
    return {"layers": [{"digest": "sha256:x", "size": size} for size in sizes]}


async def test_the_layers_of_an_image(stub, registry):
    image, digest = put(stub, "1", **layers(100, 2**33, 0))
    stub.seen.clear()
    assert await registry.size(image, digest, AMD) == 2**33 + 100
    assert stub.lines == [f"GET /v2/team/app/manifests/{digest}"]


async def test_the_platforms_image_of_an_index(stub, registry):
    _, amd = put(stub, "amd", **layers(7))
    _, arm = put(stub, "arm", **layers(9))
    image, digest = put(
        stub,
        "1",
        INDEX,
        manifests=[
            {"digest": "sha256:0", "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": arm, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        ],
    )
    assert await registry.size(image, digest, AMD) == 7
    assert await registry.size(image, digest, ARM) == 9
    assert await registry.size(image, digest, "linux/arm64/v8") == 9
    assert await registry.size(image, digest, "linux/s390x") is None


async def test_an_index_cannot_send_elsewhere(stub, registry):
    platform = {"os": "linux", "architecture": "amd64"}
    image, digest = put(stub, "1", INDEX, manifests=[{"digest": "../x", "platform": platform}])
    with pytest.raises(RegistryUnavailable, match="something other than an image"):
        await registry.size(image, digest, AMD)


async def test_a_failure_that_passes_is_waited_for(stub, registry):
    image, digest = put(stub, "1", **layers(5))
    stub.faults = [503, 503]
    assert await registry.size(image, digest, AMD) == 5


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"layers": {}},
        {"layers": [1]},
        {"layers": [{}]},
        {"layers": [{"size": -1}]},
        {"layers": [{"size": "1"}]},
        {"layers": [{"size": 1}, {"size": True}]},
    ],
)
def test_manifests_that_do_not_say(manifest):
    assert layers_size(manifest) is None


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"manifests": 1},
        {"manifests": [1, {}, {"platform": 1}]},
        {"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}, "digest": 1}]},
    ],
)
def test_indexes_that_name_no_image(index):
    assert image_of(index, AMD) is None
