"""``make demo`` where it cannot work: neither root nor an engine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.integration.demo.machine import ThisMachine
from tests.integration.demo.running import Demo, tell, wait_for_end
from tests.integration.demo.sources import clone_into

#: Somebody who may neither become root nor use an engine, wherever the tests run.
USER = "nobody"

pytestmark = [pytest.mark.docker, pytest.mark.timeout(60)]


@pytest.fixture
def machine():
    folder = Path(tempfile.mkdtemp(prefix="ibt-demo-"))
    for name in ("clone", "home"):
        (folder / name).mkdir()
    clone_into(folder / "clone")
    subprocess.run(["chown", "-R", USER, folder], check=True)
    yield ThisMachine(folder / "clone", folder / "home", USER)
    shutil.rmtree(folder)


def test_one_line_says_what_to_install_and_nothing_is_made(machine):
    before = files(machine)
    process = Demo(machine).make("demo")
    assert wait_for_end(process, 20) != 0
    lines = process.output().splitlines()
    tell(process.output())
    assert len([line for line in lines if not line.startswith("make: ***")]) == 1
    assert "docker" in lines[0].lower()
    assert "sudo" in lines[0] or "root" in lines[0]
    assert files(machine) == before
    assert machine.left() == []


def files(machine):
    top = machine.clone.parent
    found = {str(path.relative_to(top)) for path in top.rglob("*")}
    # what Git, Python and this test write is no work of the demo's
    others = ("clone/.git/", "output-")
    return {path for path in found if not path.startswith(others) and "__pycache__" not in path}
