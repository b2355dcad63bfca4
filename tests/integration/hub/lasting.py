"""Builds that outlive the service: an executor whose builds are files that a test writes.

A build is a folder: who asked, its UID, its log.  What is in the log is what the build has said,
whether or not a service runs; a file ``end`` is its end.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
import threading
import uuid
from collections.abc import AsyncGenerator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import aiohttp
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Checkpoint, Claim, ClaimState, Ended
from jupyterhub_imagebuilder.errors import BuildFailed, Reason

DIGEST = "sha256:" + "3" * 64
_POLL = 0.02


class FolderExecutor(LoggingConfigurable):
    """Implements ``builds.ports.Executor`` in a folder beside the service's own."""

    build_image = "repo2docker:stub"
    build_settings: ClassVar = {}
    platform = "linux/amd64"
    push_secret = ""
    push_secret_key = ".dockerconfigjson"

    def __init__(self, *, clock, **kwargs):
        super().__init__(**kwargs)
        self.folder = Path(self.parent.state_dir).parent / "builds"

    async def start(self):
        self.folder.mkdir(exist_ok=True)

    async def close(self):
        pass

    async def read_secret(self, name, key):
        return None

    async def check(self):
        pass

    async def found(self):
        return [_claim(each) for each in sorted(self.folder.iterdir()) if (each / "uid").exists()]

    async def claim(self, request):
        build = self.folder / request.name
        try:
            build.mkdir()
        except FileExistsError:
            return _claim(build)
        (build / "request").write_bytes(pickle.dumps(request))
        (build / "log").touch()
        (build / "uid").write_text(f"{uuid.uuid4()}")
        return Claim(request, (build / "uid").read_text(), ClaimState.CREATED)

    async def remove(self, claim):
        build = self.folder / claim.request.name
        if build.exists() and (build / "uid").read_text() == claim.uid:
            build.rename(self.folder.parent / f"removed-{claim.uid}")

    async def follow(self, claim, mark=None) -> AsyncGenerator:
        build, told = self.folder / claim.request.name, int(mark or 0)
        while True:
            if not build.exists():
                yield Ended(BuildFailed("The build was deleted.", Reason.EXECUTOR_LOST))
                return
            over = (build / "end").exists()
            whole = (build / "log").read_text().rpartition("\n")[0]
            for index, text in itertools.islice(enumerate(whole.splitlines()), told, None):
                yield LogLine(claim.uid, index, text, Phase.BUILDING)
                yield Checkpoint(str(index + 1))
                told = index + 1
            if over:
                await _push(claim.request.image)
                yield Ended()
                return
            await asyncio.sleep(_POLL)


def _claim(build):
    state = ClaimState.FINISHED if (build / "end").exists() else ClaimState.RUNNING
    request = pickle.loads((build / "request").read_bytes())
    return Claim(request, (build / "uid").read_text(), state)


async def _push(image):
    url = f"http://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
    async with aiohttp.ClientSession() as session, session.put(url) as response:
        response.raise_for_status()


class Builds:
    """The test's hand on the builds of a hub."""

    def __init__(self, hub):
        self.folder = hub.tmp / "builds"

    def running(self):
        return sorted(each for each in self.folder.glob("*") if (each / "uid").exists())

    def say(self, *texts):
        for build in self.running():
            with (build / "log").open("a") as log:
                log.writelines(f"{text}\n" for text in texts)

    def end(self):
        for build in self.running():
            (build / "end").touch()


class Registry(ThreadingHTTPServer):
    """A registry that keeps which manifests were put."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Manifests)
        self.manifests = set()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Manifests(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200 if self.path == "/v2/" or self.path in self.server.manifests else 404)

    do_HEAD = do_GET  # noqa: N815  # the server's name for it

    def do_PUT(self):
        self.server.manifests.add(self.path)
        self._answer(201)

    def _answer(self, status):
        self.send_response(status)
        self.send_header("Docker-Content-Digest", DIGEST)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass
