"""Git servers on 127.0.0.1, and hosts' APIs as far as providers use them."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from .forges import GitHub
from .gitweb import GitWeb, make_tls
from .sample import ENVIRONMENT, git, make_sample


class GitServer(NamedTuple):
    """Serves ``base`` below ``url``."""

    url: str
    base: Path


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
    made = make_sample(git_server.base / "org" / "repo")
    # as hosts do: with and without the suffix it is the same
    (git_server.base / "org" / "repo.git").symlink_to("repo")
    return made


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def git_web(sample, git_server):
    """Over HTTP."""
    web = GitWeb(git_server.base)
    runner = await web.start()
    web.url = f"http://127.0.0.1:{web.port}"
    yield web
    await runner.cleanup()


@pytest.fixture
async def git_tls(sample, git_server, tls):
    """Over HTTPS, with a certificate that is trusted through ``ca_file`` alone."""
    context, certificate = tls
    web = GitWeb(git_server.base)
    runner = await web.start(context)
    web.host = f"localhost:{web.port}"
    web.url = f"https://{web.host}"
    web.ca_file = str(certificate)
    yield web
    await runner.cleanup()


@pytest.fixture
async def github(sample, git_web):
    stub = GitHub(sample)
    git_web.apis["/repos/"] = stub
    stub.url = git_web.url
    return stub
