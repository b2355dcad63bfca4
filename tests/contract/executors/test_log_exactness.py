"""A real kubelet's logs, read over a connection that breaks all the time: each line, and once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import uuid

import pytest

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.clock import SystemClock
from jupyterhub_imagebuilder.executors.kubernetes.client import KubernetesClient
from jupyterhub_imagebuilder.executors.logs import LogReader
from jupyterhub_imagebuilder.executors.marks import Mark, read_mark

from .cluster import kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

CONTAINER = "writer"


class Breaker:
    """Forwards connections to the API server, and breaks each after a while."""

    def __init__(self, host: str, port: int, *, seed: int, most: float) -> None:
        self._target = (host, port)
        self._chance = random.Random(seed)
        self._most = most
        self._tasks: set[asyncio.Task] = set()
        self.breaks = 0

    @contextlib.asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer) -> None:
        self._tasks.add(task := asyncio.create_task(self._serve(reader, writer)))
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader, writer) -> None:
        room = int(self._chance.uniform(2e5, self._most))
        there, back = await asyncio.open_connection(*self._target)
        up = asyncio.create_task(self._pass_on(reader, back, None))
        try:
            if not await self._pass_on(there, writer, room):
                self.breaks += 1
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            writer.transport.abort()
            back.transport.abort()

    async def _pass_on(self, reader, writer, room) -> bool:
        """Whether it ended by itself."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if room is not None and len(data) > room:
                    writer.write(data[:room])
                    await writer.drain()
                    return False
                writer.write(data)
                await writer.drain()
                room = None if room is None else room - len(data)
        return True


class World:
    """A namespace whose pods write, and a reader of what they wrote."""

    def __init__(self, namespace: str, folder) -> None:
        self.namespace = namespace
        self._folder = folder
        self.breaks = 0

    def write(self, code: str) -> str:
        """Run a program in a pod.

        It waits for a second before it exits, as the build command does: what is written right
        before the end may never reach the node's file.
        """
        code += "\nimport sys, time\nsys.stdout.flush()\ntime.sleep(1)"
        name = f"writer-{uuid.uuid4().hex[:6]}"
        container = {
            "name": CONTAINER,
            "image": f"{os.environ['IB_OPEN_REGISTRY']}/base:1",
            "command": ["python3", "-c", code],
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "containers": [container],
            },
        }
        kubectl("-n", self.namespace, "apply", "-f", "-", stdin=pod)
        return name

    async def read(
        self,
        name: str,
        *,
        seed: int,
        most: float = 3e6,
        lives: int = 1,
        rest: tuple[int, float] = (0, 0),
    ) -> list[str | Gap]:
        """Everything that our reader gives out, from before the start to the end.

        :param most: bytes after which a connection breaks, at the latest.
        :param lives: readers, each of which goes on where the one before was killed.
        :param rest: behind how many records who takes them pauses, and for how many seconds.
        """
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        server = config["clusters"][0]["cluster"]["server"]
        host, _, port = server.removeprefix("https://").partition(":")
        breaker = Breaker(host, int(port or 443), seed=seed, most=most)
        async with breaker.listening() as local:
            config["clusters"][0]["cluster"] |= {
                "server": f"https://127.0.0.1:{local}",
                "tls-server-name": host,
            }
            broken = self._client(config, "broken.json")
            whole = KubernetesClient(namespace=self.namespace, clock=SystemClock())
            try:
                chance = random.Random(seed)
                deaths = [chance.randrange(20_000) for _ in range(lives - 1)]
                return await self._read(name, broken, whole, deaths, rest)
            finally:
                self.breaks = breaker.breaks
                await broken.close()
                await whole.close()

    def _client(self, config: dict, file: str) -> KubernetesClient:
        path = self._folder / file
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return KubernetesClient(namespace=self.namespace, clock=SystemClock(), kubeconfig=str(path))

    async def _read(self, name: str, broken, whole, deaths, rest) -> list[str | Gap]:
        over = asyncio.Event()

        async def watch() -> None:
            phase = ""
            while phase not in ("Succeeded", "Failed"):
                await asyncio.sleep(0.5)
                phase = (await whole.get_pod(name))["status"]["phase"]
            over.set()

        def open_log(follow, tail):
            return broken.pod_log(name, CONTAINER, follow=follow, tail=tail)

        watching = asyncio.create_task(watch())
        said: list[str | Gap] = []
        mark = None
        try:
            for death in [*deaths, None]:
                position = read_mark(mark, name).position
                reader = LogReader(open_log, over, SystemClock(), position)
                async with contextlib.aclosing(reader.records()) as records:
                    async for item in records:
                        said.append(item if isinstance(item, Gap) else item.text)
                        if len(said) == rest[0]:
                            await asyncio.sleep(rest[1])
                        mark = Mark(name, position=reader.position).encode()
                        if death is not None and (death := death - 1) < 0:
                            break
            return said
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    namespace = f"ib-logs-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", namespace)
    try:
        yield World(namespace, tmp_path_factory.mktemp("access"))
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


async def test_a_burst_before_the_end_is_whole(world):
    name = world.write("for i in range(50_000): print(i, 'x' * (i % 150))")

    found = await world.read(name, seed=1)

    assert found == [f"{i} {'x' * (i % 150)}" for i in range(50_000)]
    assert world.breaks > 1


async def test_readers_that_are_killed_leave_no_trace(world):
    name = world.write(
        "import sys\n"
        "for i in range(60_000):\n"
        "    print(i, 'x' * (i % 90), flush=True, file=sys.stderr if i % 7 else sys.stdout)"
    )

    found = await world.read(name, seed=6, lives=9)

    assert [item for item in found if isinstance(item, Gap)] == []
    assert len(found) == 60_000
    for seventh in (True, False):
        expected = [f"{i} {'x' * (i % 90)}" for i in range(60_000) if (i % 7 == 0) == seventh]
        assert [t for t in found if (int(t.split()[0]) % 7 == 0) == seventh] == expected


async def test_each_of_two_streams_is_whole(world):
    name = world.write(
        "import sys\n"
        "for i in range(60_000):\n"
        "    print(i, 'out', flush=True)\n"
        "    print(i, 'err', file=sys.stderr, flush=True)"
    )

    found = await world.read(name, seed=2, most=1e6)

    assert [item for item in found if isinstance(item, Gap)] == []
    for stream in ("out", "err"):
        expected = [f"{i} {stream}" for i in range(60_000)]
        assert [text for text in found if text.endswith(stream)] == expected
    assert world.breaks > 1


async def test_lines_of_any_kind_are_whole(world):
    name = world.write(
        "import os, time\n"
        "for i in range(40):\n"
        "    os.write(1, b'%d ' % i + b'y' * (i * 5000) + b'\\n')\n"
        "os.write(1, b'a\\rb\\n\\n\\xff\\n' + b'z' * 40_000)"
    )

    found = await world.read(name, seed=4)

    long = [f"{i} {'y' * (i * 5000)}" for i in range(40)]
    assert found == [*long, "a\rb", "", "\ufffd", "z" * 40_000]
    assert world.breaks > 1


async def test_where_the_node_moved_lines_away_there_is_a_gap(world):
    name = world.write(
        "import time\n"
        "for i in range(450_000):\n"
        "    print(i, 'x' * 93, flush=i % 100 == 0)\n"
        "    if i % 15_000 == 0: time.sleep(1)"
    )

    # the node looks every 10 seconds for what it can move away: some of that is missed for certain
    found = await world.read(name, seed=5, most=4e6, rest=(40_000, 25))

    last, gap = -1, False
    for before, item in itertools.pairwise([None, *found]):
        if isinstance(item, Gap):
            assert not gap
            gap = True
            continue
        if isinstance(before, Gap) and not item.startswith(f"{last + 1} "):
            continue  # a file may begin with the rest of a line
        number = int(item.split()[0])
        assert number == last + 1 or (gap and number > last)
        last, gap = number, False
    assert gap or last == 449_999
    assert any(isinstance(item, Gap) for item in found)
    assert world.breaks > 1
