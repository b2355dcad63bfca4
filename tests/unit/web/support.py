"""What the tests of the handlers share: a clock, a domain, and the web server on a real port."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import ClassVar

import aiohttp
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.model import (
    BuildRequest,
    ImageName,
    Owner,
    RepoSpec,
    ResolvedRef,
)
from jupyterhub_imagebuilder.builds.outlook import Limits
from jupyterhub_imagebuilder.builds.queue import QueueLimits, Usage
from jupyterhub_imagebuilder.errors import BuildFailed, BuildNotFound, ImageUnknown, Reason
from jupyterhub_imagebuilder.health import Health
from jupyterhub_imagebuilder.web.auth import Authenticator
from jupyterhub_imagebuilder.web.base import Backend
from jupyterhub_imagebuilder.web.routes import application
from jupyterhub_imagebuilder.web.sse import Streams

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DIGEST = "sha256:" + "1" * 64
PREFIX = "/services/imagebuilder/"
OWN, ALICE, BOB, ADMIN = "own-token", "alice-token", "bob-token", "admin-token"


NO_LIMITS = Limits(QueueLimits(), Usage(0, 0, 0, 0), 3600.0)


class FakeClock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.time = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self):
        return self.time

    async def sleep(self, seconds):
        woken = asyncio.Event()
        self._sleepers.append((self.time + seconds, woken))
        await woken.wait()

    async def advance(self, seconds):
        end = self.time + seconds
        while due := sorted((s for s in self._sleepers if s[0] <= end), key=lambda s: s[0]):
            self.time, woken = due[0]
            self._sleepers.remove(due[0])
            woken.set()
            await turns()
        self.time = end


async def turns(count=10):
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition):
    """Let everything go on until the condition holds."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)


class FakeHub:
    """A hub that knows three tokens."""

    owners: ClassVar = {
        ALICE: Owner("alice", groups=frozenset({"staff"})),
        BOB: Owner("bob"),
        ADMIN: Owner("root", admin=True),
    }
    error = None

    async def prepare(self):
        pass

    async def owner(self, token):
        if self.error:
            raise self.error
        return self.owners.get(token)


def new_build(owner=None, build_id="b1", repository="https://git.example.org/org/repo"):
    spec = RepoSpec("git", repository, "main", f"{repository}/main")
    image = ImageName("registry.example.org", "team/org-repo-0a1b2c", f"{COMMIT}-1c2d3e4f")
    return Build(
        BuildRequest(
            id=build_id,
            key="f" * 64,
            name="build-org-repo-ffff",
            resolved=ResolvedRef(spec, COMMIT),
            image=image,
            owner=owner or Owner("alice"),
            created=1000.0,
        )
    )


class FakeBuilds:
    """The domain as the handlers see it: hands out ``next_build`` or raises ``error``."""

    def __init__(self):
        self.asked = []
        self.error = None
        self.next_build = new_build()
        self.known = {}
        self.providers = []
        self.outlook = None

    async def request(self, text, owner, commit=None):
        return self._answer((text, owner, commit))

    async def request_spec(self, provider, spec, owner):
        return self._answer((provider, spec, owner))

    async def get(self, build_id, viewer):
        build = self.known.get(build_id)
        if build is None or not build.visible_to(viewer):
            raise BuildNotFound("There is no such build, or it is not yours.")
        return build

    async def cancel(self, build_id, viewer):
        build = await self.get(build_id, viewer)
        self.asked.append(("cancel", build_id, viewer))
        if self.error:
            raise self.error
        build.fail(BuildFailed(f"{viewer.name} stopped this build.", Reason.CANCELLED), 1003.0)
        return build

    async def look(self, text, owner, commit=None):
        self.asked.append(("look", text, owner, commit))
        if self.error:
            raise self.error
        return self.outlook

    def limits(self, owner):
        self.asked.append(("limits", owner.name))
        return self.outlook.limits if self.outlook else NO_LIMITS

    async def rebuild(self, build_id, viewer):
        await self.get(build_id, viewer)
        return self._answer(("rebuild", build_id, viewer))

    async def forget(self, build_id, viewer):
        await self.get(build_id, viewer)
        self.asked.append(("forget", build_id, viewer))
        if self.error:
            raise self.error
        del self.known[build_id]

    async def list(self, viewer, limit, before=None):
        self.asked.append(("list", limit, before))
        found = [b for b in reversed(self.known.values()) if b.visible_to(viewer)]
        return [b for b in found if before is None or b.created < before][:limit]

    async def vouch(self, image, viewer):
        self.asked.append((image, viewer))
        if not image.endswith(DIGEST):
            raise ImageUnknown("This image was not built for you here.")
        return image

    def _answer(self, question):
        self.asked.append(question)
        if self.error:
            raise self.error
        self.next_build.join(question[-1] if isinstance(question[-1], Owner) else question[1])
        self.known[self.next_build.id] = self.next_build
        return self.next_build


@dataclass
class Running:
    """The web server under test, and a client of it."""

    backend: Backend
    builds: FakeBuilds
    clock: FakeClock
    hub: FakeHub
    session: aiohttp.ClientSession
    url: str

    def request(self, method, path, *, token=ALICE, headers=None, **kwargs):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.session.request(method, self.url + path, headers=headers, **kwargs)

    async def json(self, method, path, **kwargs):
        async with self.request(method, path, **kwargs) as response:
            return response.status, await response.json()

    async def post(self, path, document, **kwargs):
        return await self.json("POST", path, data=json.dumps(document), **kwargs)

    async def text(self, path, **kwargs):
        async with self.request("GET", path, **kwargs) as response:
            assert response.status == 200
            return await response.text()


async def running():
    """Serve a domain on a free port; a generator for a fixture."""
    clock, hub, builds = FakeClock(), FakeHub(), FakeBuilds()
    backend = Backend(
        authenticator=Authenticator(own_token=OWN, hub=hub),
        streams=Streams(clock),
        health=Health(clock=clock, timeout=0.05),
        versions=lambda: {"imagebuilder": "1.2.3"},
        builds=builds,
    )
    server = HTTPServer(application(backend, PREFIX), max_body_size=1024 * 1024)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    async with aiohttp.ClientSession() as session:
        yield Running(backend, builds, clock, hub, session, f"http://127.0.0.1:{port}{PREFIX}")
    server.stop()
    backend.streams.stop()
    await server.close_all_connections()
    await backend.health.close()
