"""What the service under test loads by import string: builds and repositories that a test steers.

Everything is in files beside the service's own: a build is a folder (see ``lasting``), what a
repository has is in ``repositories.json``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path

from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Ref, RefKind, Refs, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.ports import FULL_COMMIT, Checkpoint, Ended
from jupyterhub_imagebuilder.errors import BuildFailed, Reason, RefNotFound, SpecInvalid
from tests.integration.hub.lasting import FolderExecutor, _push

HOST = "https://github.com/"
#: 2026-03-01 12:00 UTC
LONG_AGO = 1_772_366_400
_POLL = 0.02


def commit_of(repository, ref="main"):
    """A commit that follows from what it is of."""
    name = "main" if ref == "HEAD" else ref
    return hashlib.sha1(f"{repository} {name}".encode()).hexdigest()


class SteeredProvider(LoggingConfigurable):
    """GitHub as far as a file knows it; a repository that is not in it has a branch ``main``."""

    id = "gh"
    commit_form = FULL_COMMIT

    def from_url(self, url, ref):
        if not url.startswith(HOST):
            return None
        path = url.removeprefix(HOST).strip("/").removesuffix(".git")
        return self.from_spec(f"{path}/{ref or 'HEAD'}")

    def from_spec(self, spec):
        parts = spec.split("/", 2)
        if len(parts) < 3:
            raise SpecInvalid("A GitHub repository is written as org/repo/ref.")
        return RepoSpec(self.id, f"{HOST}{parts[0]}/{parts[1]}", parts[2], spec)

    def _refs(self, repository):
        path = Path(self.parent.state_dir).parent / "repositories.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        default = {"main": {"commit": commit_of(repository), "title": "Begin here"}}
        return known.get(repository, default)

    async def resolve(self, spec):
        refs = self._refs(spec.repository)
        by_commit = {each["commit"]: each for each in refs.values()}
        found = refs.get("main" if spec.ref == "HEAD" else spec.ref) or by_commit.get(spec.ref)
        if found is None:
            raise RefNotFound(f"There is no {spec.ref} in {spec.repository}.")
        return ResolvedRef(spec, found["commit"], found.get("title"), found.get("date", LONG_AGO))

    async def refs(self, spec):
        refs = [
            Ref(name, RefKind(each.get("kind", "branch")), each["commit"])
            for name, each in self._refs(spec.repository).items()
        ]
        return Refs(tuple(refs), "main")


class SteeredExecutor(FolderExecutor):
    """What is in a build's ``log``, in JSON lines, is what it does; ``end`` is how it ends."""

    async def follow(self, claim, mark=None) -> AsyncGenerator:
        build, told = self.folder / claim.request.name, int(mark or 0)
        (build / "repository").write_text(claim.request.spec.repository)
        with (build / "log").open() as log:
            for number in range(told):
                assert log.readline(), f"the log was longer than {number} lines"
            while build.exists():
                over = (build / "end").exists()
                while line := _whole_line(log):
                    yield _observed(claim, told, line)
                    told += 1
                    yield Checkpoint(str(told))
                if over:
                    async for last in _end(claim, json.loads((build / "end").read_text())):
                        yield last
                    return
                await asyncio.sleep(_POLL)
        yield Ended(BuildFailed("The build was deleted.", Reason.EXECUTOR_LOST))


def _whole_line(log):
    place = log.tell()
    line = log.readline()
    if line.endswith("\n"):
        return line
    log.seek(place)
    return ""


def _observed(claim, index, line):
    said = json.loads(line)
    if "text" in said:
        phase = said["phase"] and Phase(said["phase"])
        return LogLine(claim.uid, index, said["text"], phase)
    return PhaseChanged(Phase(said["phase"]), said["message"])


async def _end(claim, end):
    if end:
        yield Ended(BuildFailed(end["message"], Reason(end["reason"])))
        return
    await _push(claim.request.image)
    yield Ended()
