"""An executor and a provider that a service process loads by import string.

A scripted build's log is a function of the clock: line ``i`` is written ``i / rate`` seconds after
its begin, whether anybody follows or not.  So another process, or the next one after a SIGKILL,
finds it where Kubernetes would have it.  What was claimed is a file per build, which is made
atomically, as a pod is.
"""

# ruff: noqa: ASYNC110, ASYNC230, ASYNC240 -- small files on a local disk

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import hashlib
import os
import pickle
import time
import uuid
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import aiohttp
from traitlets import Float, Integer, Unicode
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.model import RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import (
    FULL_COMMIT,
    Checkpoint,
    Claim,
    ClaimState,
    Ended,
    Pushed,
)
from jupyterhub_imagebuilder.executors.kubernetes.client import KubernetesClient
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor

#: Fills a line up to a length that is usual in the log of a build.
_REST = " Get:42 http://mirror.example.org/debian bookworm/main amd64 libexample 1.2.3-4 [123 kB]"


def stamp() -> int:
    """Microseconds of the machine's monotonic clock, which all processes share."""
    return time.monotonic_ns() // 1000


def line(index: int, written: float) -> str:
    """A line that says when it was written, in seconds of the monotonic clock."""
    return f"@{index} {round(written * 1e6)}@{_REST}"


async def push(image: Any) -> None:
    """Put an image into the scripted registry."""
    url = f"http://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
    async with aiohttp.ClientSession() as session, session.put(url) as response:
        response.raise_for_status()


class ScriptedProvider(LoggingConfigurable):
    """Takes every address; its commit follows from the address."""

    id = "git"
    commit_form = FULL_COMMIT

    def from_url(self, url, ref):
        return RepoSpec(self.id, url, ref or "HEAD", f"{url}/{ref or 'HEAD'}")

    def from_spec(self, spec):
        repository, _, ref = unquote(spec).rpartition("/")
        return self.from_url(repository, ref)

    async def resolve(self, spec):
        return ResolvedRef(spec, hashlib.sha1(f"{spec}".encode()).hexdigest())


class ScriptedExecutor(LoggingConfigurable):
    """Builds by the clock."""

    folder = Unicode(config=True, help="Where claims are kept.")
    go_file = Unicode(config=True, help="Holds the time at which lines begin; else the claim's.")
    rate = Float(20.0, config=True, help="Lines per second.")
    lines = Integer(100, config=True, help="Lines of each build.")
    tail = Float(0.0, config=True, help="Seconds between the push and the end.")

    build_image = "repo2docker:scripted"
    build_settings: ClassVar = {}
    platform = "linux/amd64"
    push_secret = ""
    push_secret_key = ".dockerconfigjson"

    def __init__(self, *, clock, **kwargs):
        super().__init__(**kwargs)
        self.clock = clock
        self.profile = cProfile.Profile() if os.environ.get("BENCH_PROFILE") else None

    async def start(self):
        if self.profile:
            self.profile.enable()

    async def close(self):
        if self.profile:
            self.profile.disable()
            self.profile.dump_stats(os.environ["BENCH_PROFILE"])

    async def read_secret(self, name, key):
        return None

    async def check(self):
        pass

    async def found(self):
        return [self._read(path) for path in Path(self.folder).glob("*.claim")]

    async def claim(self, request):
        path = Path(self.folder, f"{request.name}.claim")
        uid = uuid.uuid4().hex
        made = path.with_suffix(f".{uid}")
        made.write_bytes(pickle.dumps((request, uid, time.monotonic())))
        try:
            os.link(made, path)
        except FileExistsError:
            return self._read(path)
        finally:
            made.unlink()
        with Path(self.folder, "created").open("a") as created:
            created.write(f"{request.name}\n")
        return Claim(request, uid, ClaimState.CREATED)

    async def remove(self, claim):
        path = Path(self.folder, f"{claim.request.name}.claim")
        if path.exists() and self._read(path).uid == claim.uid:
            path.unlink()

    async def follow(self, claim, mark=None):
        begin = await self._begin(claim)
        source, _, done = (mark or "").partition(" ")
        for index in range(int(done) if source == claim.uid else 0, self.lines):
            written = begin + index / self.rate
            if (delay := written - time.monotonic()) > 0:
                await asyncio.sleep(delay)
            phase = Phase.BUILDING if index else Phase.FETCHING
            yield LogLine(claim.uid, index, line(index, written), phase)
            yield Checkpoint(f"{claim.uid} {index + 1}")
        await push(claim.request.image)
        yield LogLine(claim.uid, self.lines, line(self.lines, time.monotonic()), Phase.PUSHING)
        yield Pushed()
        await asyncio.sleep(self.tail)
        yield Ended()

    async def _begin(self, claim):
        if not self.go_file:
            return self._claimed(claim)
        while not (text := self._go()):
            await asyncio.sleep(0.01)
        return float(text)

    def _go(self):
        path = Path(self.go_file)
        return path.read_text() if path.exists() else ""

    def _claimed(self, claim):
        path = Path(self.folder, f"{claim.request.name}.claim")
        return pickle.loads(path.read_bytes())[2] if path.exists() else time.monotonic()

    def _read(self, path):
        request, uid, begin = pickle.loads(path.read_bytes())
        over = not self.go_file and time.monotonic() > begin + self.lines / self.rate + self.tail
        return Claim(request, uid, ClaimState.FINISHED if over else ClaimState.RUNNING)


class SimulatedExecutor(KubernetesExecutor):
    """The real executor, for pods that simulated nodes play."""

    run = Float(10.0, config=True, help="Seconds for which each pod is played.")

    def _connect(self):
        return _Client(
            self.run, namespace=self.namespace, clock=self._clock, kubeconfig=self.kubeconfig
        )

    async def _create(self, pod, attempt):
        pod["metadata"]["annotations"]["simulate/run"] = f"{round(self.run * 1000)}ms"
        return await super()._create(pod, attempt)

    async def follow(self, claim, *mark):
        async with contextlib.aclosing(super().follow(claim, *mark)) as observations:
            async for observation in observations:
                if isinstance(observation, Ended) and observation.error is None:
                    await push(claim.request.image)
                yield observation


class _Client(KubernetesClient):
    """Ends a log's stream with its pod, as a kubelet does: simulated nodes never end it."""

    def __init__(self, run, **kwargs):
        super().__init__(**kwargs)
        self._run = run
        self._ends = {}

    async def pod_log(self, name, container, *, follow, tail=None):
        end = self._ends.setdefault(name, time.monotonic() + self._run + 1)
        found = super().pod_log(name, container, follow=follow, tail=tail)
        async with contextlib.aclosing(found) as chunks:
            while follow:
                try:
                    async with asyncio.timeout_at(end):
                        chunk = await anext(chunks)
                except (StopAsyncIteration, TimeoutError):
                    return
                yield chunk
            async for chunk in chunks:
                yield chunk
