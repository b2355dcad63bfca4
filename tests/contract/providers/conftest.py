"""A Git server on 127.0.0.1, and GitHub's API as far as providers use it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from aiohttp import web

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


class Sample(NamedTuple):
    """A repository, served by git."""

    folder: Path
    commits: dict[str, str]  #: of each ref
    old: str  #: a commit that is the tip of nothing


class GitServer(NamedTuple):
    """Serves ``base`` below ``url``."""

    url: str
    base: Path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    (folder / "file").write_text(message)
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_sample(folder: Path, *options: str) -> Sample:
    """One repository with everything that a ref can be."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    light = commit(folder, "1")
    git(folder, "tag", "light")
    annotated = commit(folder, "2")
    git(folder, "tag", "-a", "-m", "x", "v1.0")
    git(folder, "branch", "feature/x")
    old = commit(folder, "3")
    both_tag = commit(folder, "4")
    git(folder, "tag", "both")
    # a branch whose name could be that of a commit, and is the start of none
    git(folder, "branch", "dec0de0", light)
    main = commit(folder, "5")
    git(folder, "branch", "both")
    commits = {
        "HEAD": main,
        "main": main,
        "light": light,
        "v1.0": annotated,
        "feature/x": annotated,
        "both": both_tag,
        "dec0de0": light,
    }
    return Sample(folder, commits, old)


@pytest.fixture(scope="session")
def git_server(tmp_path_factory):
    base = tmp_path_factory.mktemp("git")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(git(base, "--exec-path")) / "git-daemon"
    server = subprocess.Popen(
        [program, "--export-all", f"--base-path={base}", "--listen=127.0.0.1", f"--port={port}"],
        env=ENVIRONMENT,
    )
    try:
        wait_for(port)
        yield GitServer(f"git://127.0.0.1:{port}", base)
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the Git server does not start"
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def sample(git_server):
    return make_sample(git_server.base / "org" / "repo")


class GitHubStub:
    """GitHub's answer to "Get a commit", for the sample; can be told to answer otherwise."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.requests: list[web.Request] = []
        self.answer: web.Response | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer
        head, _, ref = request.raw_path.partition("/commits/")
        if head != "/repos/org/repo" or "/" in ref:
            return web.json_response({"message": "Not Found"}, status=404)
        found = self.find(unquote(ref))
        if found is None:
            return web.json_response({"message": f"No commit found for SHA: {ref}"}, status=422)
        headers = {"ETag": f'"{found}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(text=found, headers=headers)

    def find(self, ref: str) -> str | None:
        known = {*self.sample.commits.values(), self.sample.old}
        starts = [each for each in known if len(ref) >= 7 and each.startswith(ref)]
        return self.sample.commits.get(ref) or (starts[0] if len(starts) == 1 else None)


@pytest.fixture
async def github(sample):
    stub = GitHubStub(sample)
    app = web.Application()
    app.router.add_get("/{tail:.*}", stub.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()
