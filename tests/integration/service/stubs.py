"""An executor and a provider that the service under test loads by import string."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import aiohttp
from traitlets import Bool, Unicode
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.model import Ref, RefKind, Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import FULL_COMMIT, Claim, ClaimState, Ended
from jupyterhub_imagebuilder.errors import ExecutorUnavailable, RefNotFound

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class StubProvider(LoggingConfigurable):
    id = "git"
    commit_form = FULL_COMMIT

    def from_url(self, url, ref):
        return RepoSpec(self.id, url, ref or "HEAD", f"{url}/{ref or 'HEAD'}")

    def from_spec(self, spec):
        repository, _, ref = spec.partition("/")
        return self.from_url(unquote(repository), ref)

    async def resolve(self, spec):
        if spec.ref == "absent":
            raise RefNotFound(f"There is no absent in {spec.repository}.")
        return ResolvedRef(spec, COMMIT)

    async def refs(self, spec):
        return Refs((Ref("main", RefKind.BRANCH, COMMIT),), "main")


class StubExecutor(LoggingConfigurable):
    """Builds by putting a manifest into the registry, once a file says so."""

    away = Bool(default_value=False, config=True)
    go_file = Unicode(config=True)

    build_image = "repo2docker:stub"
    build_settings: ClassVar = {}
    platform = "linux/amd64"
    push_secret = ""
    push_secret_key = ".dockerconfigjson"

    def __init__(self, *, clock, **kwargs):
        super().__init__(**kwargs)
        self.clock = clock

    async def start(self):
        if self.away:
            raise ExecutorUnavailable("Kubernetes does not answer.")

    async def close(self):
        self.log.info("stub executor closed")

    async def read_secret(self, name, key):
        return None

    async def found(self):
        return []

    async def check(self):
        pass

    async def claim(self, request):
        return Claim(request, "uid-1", ClaimState.CREATED)

    async def remove(self, claim):
        pass

    def wait_for_go(self):
        deadline = time.monotonic() + 2
        while not Path(self.go_file).exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    async def follow(self, claim, mark=None):
        yield LogLine(claim.uid, 0, "Step 1/1", Phase.BUILDING)
        await asyncio.to_thread(self.wait_for_go)
        image = claim.request.image
        url = f"http://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
        async with aiohttp.ClientSession() as session, session.put(url) as response:
            response.raise_for_status()
        yield Ended()
