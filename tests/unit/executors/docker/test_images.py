from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryUnavailable
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

    async def ping(self):
        if isinstance(self.answer, Exception):
            raise self.answer


async def test_the_id_is_the_digest():
    images = EngineImages(Answers({"imagebuilder/repo:1": {"Id": "sha256:abc"}}))

    assert await images.digest(NAME, fresh=True) == "sha256:abc"
    assert await images.digest(ImageName("", "imagebuilder/repo", "2")) is None
    assert await images.check() is None


@pytest.mark.parametrize("engine", [Answers(EngineError("away")), Engine("unix:///nowhere.sock")])
async def test_no_answer_is_never_a_no(engine):
    images = EngineImages(engine)

    with pytest.raises(RegistryUnavailable):
        await images.digest(NAME)
    with pytest.raises(RegistryUnavailable):
        await images.check()
