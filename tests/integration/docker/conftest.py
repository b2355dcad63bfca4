from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.contract.executors.engine import DockerHarness
from tests.integration.docker.engines import OwnEngine

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")


@pytest.fixture(scope="session")
def engine():
    """An engine of our own; a new one has no image at all."""
    found = OwnEngine(Path(tempfile.mkdtemp(prefix="ibt-")))
    try:
        found.install()
        yield found
    finally:
        found.uninstall()


@pytest.fixture
async def harness(engine):
    """An executor that builds on that engine, and leaves no container behind."""
    found = DockerHarness(host=engine.host)
    async with found.running():
        yield found


@pytest.fixture
def repository():
    """Make a repository with a Dockerfile of one step; its name on the git server."""
    made = []

    def make(command: str, base: str = "base:1") -> str:
        folder = Path(os.environ["IB_GIT_DIR"]) / f"t-{secrets.token_hex(5)}"
        made.append(folder)
        folder.mkdir()
        text = f"FROM {os.environ['IB_OPEN_REGISTRY']}/{base}\nRUN {command}\n"
        (folder / "Dockerfile").write_text(text)
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "first")):
            subprocess.run([*GIT, *words], cwd=folder, check=True)
        (folder / ".git" / "git-daemon-export-ok").touch()
        return folder.name

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
