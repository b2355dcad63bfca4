"""An executor that the service under test loads: its builds outlive the service, on disk."""

from __future__ import annotations

import asyncio
import pickle
import time
from pathlib import Path

import aiohttp
from stubs import StubExecutor
from traitlets import Unicode

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import Checkpoint, Claim, ClaimState, Ended
from jupyterhub_imagebuilder.errors import BuildFailed

FIRST = ("Step 1/4", "Step 2/4")
LAST = ("Step 3/4", "Step 4/4")


class LastingExecutor(StubExecutor):
    """Says the first lines, and the last ones when a file is there; the ref `broken` fails."""

    folder = Unicode(config=True)

    def _file(self, request):
        return Path(self.folder) / f"{request.name}.build"

    def _files(self):
        return sorted(Path(self.folder).glob("*.build"))

    def _may_go(self):
        time.sleep(0.02)  # in a thread
        return Path(self.go_file).exists()

    async def found(self):
        return [
            Claim(pickle.loads(path.read_bytes()), path.stem, ClaimState.RUNNING)
            for path in self._files()
        ]

    async def claim(self, request):
        path = self._file(request)
        if path.exists():
            return Claim(pickle.loads(path.read_bytes()), path.stem, ClaimState.RUNNING)
        path.write_bytes(pickle.dumps(request))
        with (Path(self.folder) / "begun").open("a") as begun:
            begun.write(f"{request.spec.repository} {request.spec.ref}\n")
        return Claim(request, path.stem, ClaimState.CREATED)

    async def remove(self, claim):
        self._file(claim.request).unlink(missing_ok=True)

    async def follow(self, claim, mark=None):
        for index, text in enumerate((*FIRST, *LAST)):
            if index == len(FIRST):
                while not await asyncio.to_thread(self._may_go):
                    pass
            if mark is None or index > int(mark):
                yield LogLine(claim.uid, index, text, Phase.BUILDING)
                yield Checkpoint(str(index))
        if claim.request.spec.ref == "broken":
            yield Ended(BuildFailed("The step RUN pip install failed."))
            return
        image = claim.request.image
        url = f"http://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
        async with aiohttp.ClientSession() as session, session.put(url) as response:
            response.raise_for_status()
        yield Ended()
