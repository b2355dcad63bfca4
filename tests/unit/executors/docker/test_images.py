from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError
from jupyterhub_imagebuilder.executors.docker.images import EngineImages

NAME = ImageName("", "imagebuilder/repo", "1")


class Answers:
    """What the engine says of images."""

    def __init__(self, answer):
        self.answer = answer

    async def inspect_image(self, image):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.get(image)

    async def remove_image(self, image):
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer.pop(image, None) is None:
            raise EngineError("no such image", 404)

    async def ping(self):
        if isinstance(self.answer, Exception):
            raise self.answer


async def test_the_id_is_the_digest():
    images = EngineImages(Answers({"imagebuilder/repo:1": {"Id": "sha256:abc"}}))

    assert await images.digest(NAME, fresh=True) == "sha256:abc"
    assert await images.digest(ImageName("", "imagebuilder/repo", "2")) is None
    assert await images.check() is None


async def test_a_removed_name_is_absent():
    images = EngineImages(Answers({"imagebuilder/repo:1": {"Id": "sha256:abc"}}))

    await images.prepare(NAME)
    await images.remove(NAME)
    await images.remove(NAME)
    assert await images.digest(NAME) is None


async def test_an_image_in_use_stays():
    images = EngineImages(Answers(EngineError("in use", 409)))

    with pytest.raises(RegistryDenied, match="runs from this image"):
        await images.remove(NAME)


@pytest.mark.parametrize("engine", [Answers(EngineError("away")), Engine("unix:///nowhere.sock")])
async def test_no_answer_is_never_a_no(engine):
    images = EngineImages(engine)

    with pytest.raises(RegistryUnavailable):
        await images.digest(NAME)
    with pytest.raises(RegistryUnavailable):
        await images.remove(NAME)
    with pytest.raises(RegistryUnavailable):
        await images.check()
    with pytest.raises(RegistryUnavailable):
        await images.size(NAME, "sha256:abc", "linux/amd64")


@pytest.mark.parametrize(
    ("said", "size"), [({"Size": 1234}, 1234), ({"Size": None}, None), ({}, None), (None, None)]
)
async def test_the_size_is_the_engines(said, size):
    images = EngineImages(Answers({"sha256:abc": said}))
    assert await images.size(NAME, "sha256:abc", "linux/amd64") == size
