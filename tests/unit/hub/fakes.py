"""Hand-written stand-ins for what the hub's side talks to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import ImageUnknown, ServiceUnavailable
from jupyterhub_imagebuilder.hub.client import BuildAnswer

DIGEST = "sha256:" + "a" * 64
IMAGE = "registry.test/team/hello-0a1b:4b82-1c2d"
PINNED = f"registry.test/team/hello-0a1b@{DIGEST}"
COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

OPEN = BuildAnswer("b1", Phase.WAITING, "It waits.", COMMIT)
BUILT = replace(OPEN, phase=Phase.BUILT, image=IMAGE, digest=DIGEST)
BUILT_EVENT = PhaseChanged(Phase.BUILT, "The image is there.", None, IMAGE, DIGEST)


def lines(*texts, source="uid"):
    return [LogLine(source, index, text) for index, text in enumerate(texts)]


class FakeService:
    """Answers from a list, and streams events from another one."""

    def __init__(self, answers: Sequence = (BUILT,), streams: Sequence = ()):
        self.answers = list(answers)
        self.scripts = list(streams)
        self.asked = []
        self.vouched = []
        self.known_images = {PINNED}
        self.opened = 0
        self.closed = 0
        self.hold = asyncio.Event()  #: set it to let a stream that holds go on

    async def start_build(self, text, owner, commit=None):
        self.asked.append((text, owner, commit))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def vouch(self, image, owner):
        self.vouched.append((image, owner))
        if image not in self.known_images:
            raise ImageUnknown("No build of yours stands behind this image.")
        return image

    async def events(self, build_id, after=None):
        self.opened += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            for event in script:
                if event == "hold":
                    await self.hold.wait()
                elif event == "break":
                    raise ServiceUnavailable("gone")
                else:
                    yield event
        finally:
            self.closed += 1
