"""Both of the README's commands on a bare Debian: no engine, no Python, no Node, no sudo.

``IMAGEBUILDER_TEST_DEBIAN`` names another suite (``trixie``), ``IMAGEBUILDER_TEST_DEMO_USER``
somebody else than root, who then has sudo.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import docker
import pytest

from tests.integration.demo.bare import CLONE, Bare, debian
from tests.integration.demo.running import Demo, tell, wait_for_end

SUITE = os.environ.get("IMAGEBUILDER_TEST_DEBIAN", "bookworm")
USER = os.environ.get("IMAGEBUILDER_TEST_DEMO_USER", "root")

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def client():
    with contextlib.closing(docker.from_env()) as found:
        yield found


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="ibt-bare-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def image(client, folder):
    """A Debian; gone afterwards."""
    found = debian(client, SUITE, folder, *([] if USER == "root" else ["sudo"]))
    try:
        yield found
    finally:
        client.images.remove(found, force=True)


@pytest.fixture
def bare(client, image, folder):
    found = Bare(client, image, USER)
    try:
        if USER != "root":
            found.run("useradd", "--create-home", USER)
            found.run("sh", "-c", f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}")
        clone = folder / "clone"
        clone.mkdir()
        found.put_clone(clone)
        shutil.rmtree(clone)
        yield found
    finally:
        found.remove()


def test_make_demo(bare):
    demo = Demo(bare)
    files, packages = bare.files(), bare.packages()
    mounts, network = bare.mounts(), bare.network()
    clone = bare.run("git", "-C", CLONE, "status", "--porcelain", "--ignored")

    running = demo.start()
    tell(running.process.output(), f"ready after {running.seconds:.0f} s")
    tell(demo.story("first", "again"))
    seconds, words = demo.interrupt()
    tell(f"{words} after {seconds:.1f} s")
    assert bare.left() == []
    assert bare.mounts() == mounts
    assert bare.network() == network

    again = demo.start(60)
    tell(f"ready again after {again.seconds:.1f} s")
    tell(demo.story("tomorrow"))
    demo.interrupt()
    tell(demo.clean())
    assert bare.left() == []
    assert bare.packages() == packages
    assert bare.mounts() == mounts
    assert bare.network() == network
    assert sorted(bare.files() ^ files) == []
    assert bare.run("git", "-C", CLONE, "status", "--porcelain", "--ignored") == clone


def test_make_test(bare):
    """The tests' own environment comes from nothing, and tests pass in it."""
    # one in a browser is among them: what drives it needs more than Chromium
    chosen = "-q tests/test_package.py tests/unit/hub tests/integration/hub/test_process_spawner.py"
    # without older hubs, each of which takes as long again
    process = bare.start("make", "test", "HUBS=", f"PYTEST_ARGS={chosen}")
    assert wait_for_end(process, 600) == 0, process.output()
    assert " passed" in process.output()
    assert " failed" not in process.output()
