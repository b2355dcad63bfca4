"""One repository against a service that says what the test wants."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.cli.job import Code, Job
from jupyterhub_imagebuilder.cli.service import Service
from tests.fakes.clock import InstantClock

TOKEN = "secret-token"
IMAGE = "registry.example.org/team/hello:4b82"
DIGEST = "sha256:" + "2" * 64
PINNED = f"registry.example.org/team/hello@{DIGEST}"
BUILD = {
    "id": "b1", "phase": "waiting", "message": "Waiting", "reason": None, "provider": "gh",
    "spec": "o/r/x", "repository": "https://github.com/o/r", "ref": "x", "commit": "4" * 40,
    "image": IMAGE, "digest": None, "cached": False, "created": "2026-01-01T00:00:00+00:00",
    "phases": {}, "finished": None,
}  # fmt: skip
FOUND = BUILD | {
    "phase": "built", "message": "The image was built before", "image": PINNED, "digest": DIGEST,
    "cached": True, "finished": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
BROKEN = object()


def line(index, text, source="pod", phase=None):
    data = json.dumps({"type": "log", "text": text, "phase": phase})
    return f"id: {source}:{index}\ndata: {data}\n\n"


def phase(name, message, **more):
    data = {"type": "phase", "phase": name, "message": message, "reason": None} | more
    return f"data: {json.dumps(data)}\n\n"


def refusal(status, reason, message, **headers):
    return status, {"reason": reason, "message": message}, headers


BUILT = phase("built", "The image is built", image=PINNED, digest=DIGEST)
GONE = refusal(404, "build-not-found", "There is no such build, or it is not yours.")


class Stub:
    """Answers with the next of its answers, the last one for ever."""

    def __init__(self):
        self.posts, self.streams = [BUILD], []
        self.bodies, self.resumed, self.tokens = [], [], set()
        self.runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/services/imagebuilder/"

    async def start(self):
        app = web.Application()
        app.router.add_post("/services/imagebuilder/api/builds", self.post)
        app.router.add_get("/services/imagebuilder/api/builds/{id}/events", self.events)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()

    async def post(self, request):
        self.tokens.add(request.headers["Authorization"])
        self.bodies.append(await request.json())
        return await self.answered(request, self.next(self.posts))

    async def events(self, request):
        self.tokens.add(request.headers["Authorization"])
        self.resumed.append(request.headers.get("Last-Event-ID"))
        answer = self.next(self.streams)
        if not isinstance(answer, list):
            return await self.answered(request, answer)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in answer:
            if part is BROKEN:
                request.transport.close()
                return response
            await response.write(part.encode())
        await response.write_eof()
        return response

    async def answered(self, request, answer):
        if answer is BROKEN:
            request.transport.close()
            return web.Response()
        if isinstance(answer, dict):
            answer = (202, answer, {})
        status, document, headers = answer
        if isinstance(document, str):
            return web.Response(status=status, text=document, headers=headers)
        return web.json_response(document, status=status, headers=headers)

    @staticmethod
    def next(answers):
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Told:
    def __init__(self):
        self.lines, self.stages = [], []

    def log(self, name, text):
        self.lines.append(text)

    def stage(self, name, text):
        self.stages.append(text)


class World:
    def __init__(self, stub):
        self.stub, self.clock, self.told = stub, InstantClock(), Told()

    async def run(self, asked="gh/o/r/x", *, url=None, patience=300.0):
        async with Service(url or self.stub.url, TOKEN) as service:
            job = Job(asked, service, self.told, self.clock, patience)
            await job.run()
        return job


@pytest.fixture
async def world():
    stub = Stub()
    await stub.start()
    yield World(stub)
    await stub.runner.cleanup()


async def test_a_build_from_its_beginning_to_its_end(world):
    world.stub.streams = [
        [
            phase("waiting", "Position 2 in the queue"),
            ":keepalive\n\n",
            line(0, "Cloning", phase="fetching"),
            phase("building", "Building the image"),
            line(1, "Step 1/1"),
            phase("building", "Building the image"),
            BUILT,
        ]
    ]
    job = await world.run()
    assert job.code is Code.BUILT
    assert job.image == PINNED
    assert world.told.lines == ["Cloning", "Step 1/1"]
    assert world.told.stages == [
        "waiting: Position 2 in the queue",
        "fetching",
        "building: Building the image",
    ]
    assert world.stub.bodies == [{"repository": "build:gh/o/r/x"}]
    assert world.stub.tokens == {f"Bearer {TOKEN}"}
    assert job.document() == {
        "asked": "gh/o/r/x", "id": "b1", "provider": "gh", "spec": "o/r/x",
        "repository": "https://github.com/o/r", "ref": "x", "commit": "4" * 40, "phase": "built",
        "message": "The image is built", "reason": None, "image": PINNED, "digest": DIGEST,
        "cached": False,
    }  # fmt: skip
    assert world.clock.slept == []


async def test_what_is_there_is_not_watched(world):
    world.stub.posts = [FOUND]
    job = await world.run()
    assert (job.code, job.image, job.document()["cached"]) == (Code.BUILT, PINNED, True)
    assert world.stub.resumed == []


@pytest.mark.parametrize(
    ("name", "reason"), [("failed", "build-failed"), ("cancelled", "cancelled")]
)
async def test_a_build_without_an_image_has_failed(world, name, reason):
    world.stub.streams = [[phase(name, "It did not work.", reason=reason)]]
    job = await world.run()
    assert job.code is Code.FAILED
    assert job.image is None
    assert job.message == f"It did not work. ({reason})"


async def test_a_broken_connection_is_taken_up_behind_the_last_line(world):
    world.stub.streams = [
        [phase("building", "Building"), line(0, "one"), line(1, "two"), BROKEN],
        (502, "<html>proxy</html>", {}),
        (503, "<html>proxy</html>", {}),
        [phase("building", "Building"), line(1, "two"), line(2, "three")],
        [BUILT],
    ]
    job = await world.run()
    assert job.code is Code.BUILT
    assert world.told.lines == ["one", "two", "three"]
    assert world.stub.resumed == [None, "pod:1", "pod:1", "pod:1", "pod:2"]
    # longer and longer, until there is an answer
    assert world.clock.slept == [1.0, 2.0, 4.0, 1.0]


async def test_a_service_without_a_memory_is_asked_for_the_same_commit(world):
    world.stub.posts = [BUILD, FOUND]
    world.stub.streams = [GONE]
    job = await world.run()
    assert job.code is Code.BUILT
    assert world.stub.bodies[1] == {"repository": "build:gh/o/r/x", "commit": "4" * 40}


async def test_a_service_that_forgets_everything_is_not_asked_for_ever(world):
    world.stub.streams = [GONE]
    job = await world.run()
    assert (job.code, job.document()["reason"]) == (Code.REFUSED, "build-not-found")
    assert len(world.stub.bodies) == 4


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (refusal(404, "ref-not-found", "There is no x."), Code.REFUSED, "There is no x."),
        (refusal(403, "spec-forbidden", "Not here."), Code.REFUSED, "Not here."),
        (refusal(401, "authentication-required", "No."), Code.REFUSED, "No."),
        (refusal(502, "registry-denied", "Denied."), Code.REFUSED, "Denied."),
        (refusal(500, "internal", "A mistake."), Code.FAILED, "A mistake."),
        (refusal(500, "of-a-later-version", "New."), Code.REFUSED, "New."),
        ((404, "<html>hub</html>", {}), Code.REFUSED, "no image builder at"),
        ((403, "<html>hub</html>", {}), Code.REFUSED, "HTTP 403"),
        ((302, "", {"Location": "https://evil.example.org/"}), Code.REFUSED, "leads elsewhere"),
        ((200, "<html>a web site</html>", {}), Code.REFUSED, "is no image builder"),
        ((200, '{"id": 5}', {}), Code.REFUSED, "is no image builder"),
    ],
)
async def test_a_refusal_is_the_end_at_once(world, answer, code, sentence):
    world.stub.posts = [answer]
    job = await world.run()
    assert job.code is code
    assert sentence in job.message
    assert TOKEN not in job.message
    assert len(world.stub.bodies) == 1
    assert world.clock.slept == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (BROKEN, Code.UNREACHABLE),
        ((502, "<html>proxy</html>", {}), Code.UNREACHABLE),
        (refusal(503, "service-unavailable", "It is starting."), Code.UNREACHABLE),
        (refusal(502, "provider-unavailable", "The host is away."), Code.REFUSED),
        (refusal(429, "quota", "Too many builds wait."), Code.REFUSED),
    ],
)
async def test_what_passes_is_waited_for_but_not_for_ever(world, answer, code):
    world.stub.posts = [answer]
    job = await world.run(patience=60)
    assert job.code is code
    assert 45 <= sum(world.clock.slept) <= 60
    assert max(world.clock.slept) <= 15
    world.stub.posts = [answer, answer, FOUND]
    assert (await world.run(patience=60)).code is Code.BUILT


async def test_the_service_says_how_long_to_wait(world):
    world.stub.posts = [refusal(429, "quota", "Full.", **{"Retry-After": "40"}), FOUND]
    assert (await world.run()).code is Code.BUILT
    assert world.clock.slept == [40.0]


async def test_retry_at_once_is_not_a_loop(world):
    world.stub.posts = [refusal(503, "service-unavailable", "Starting.", **{"Retry-After": "0"})]
    assert (await world.run(patience=10)).code is Code.UNREACHABLE
    assert world.clock.slept == [1.0] * 10


async def test_nobody_listens(world):
    url = world.stub.url
    await world.stub.runner.cleanup()
    job = await world.run(url=url, patience=0)
    assert job.code is Code.UNREACHABLE
    assert job.message == f"The image builder at {url} does not answer."
