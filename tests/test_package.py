"""What gets published: a wheel and an sdist that hold all of it, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from jupyterhub_imagebuilder import __version__

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jupyterhub_imagebuilder"

pytestmark = pytest.mark.timeout(120)  # a wheel is built from the sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def static():
    """Files that the front end's build has made, as its manifest names them."""
    folder = PACKAGE / "static"
    path = folder / "manifest.json"
    if not path.exists():
        pytest.skip("no front end: run make frontend first")
    entries = json.loads(path.read_text(encoding="utf-8")).values()
    names = {name for each in entries for name in (each["file"], *each.get("css", []))}
    return {f"jupyterhub_imagebuilder/static/{name}" for name in ("manifest.json", *names)}


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_wheel_holds_every_file_of_the_package(wheel):
    sources = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")}
    expected = sources | {
        "jupyterhub_imagebuilder/py.typed",
        # runs in the build pod: sent there as text, so it has to be found
        "jupyterhub_imagebuilder/executors/entrypoint.py",
    }
    assert expected - set(wheel.namelist()) == set()


def test_wheel_holds_nothing_but_the_package(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {
        "jupyterhub_imagebuilder",
        f"jupyterhub_imagebuilder-{__version__}.dist-info",
    }


def test_sdist_holds_what_a_packager_needs(sdist):
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests/conftest.py"}
    assert wanted - sdist == set()
    assert "jupyterhub_imagebuilder/py.typed" in sdist


def test_sdist_holds_nothing_that_was_made(sdist):
    made = (".venv", "build/", "dist/", "docs/_build", ".coverage", "screenshots")
    assert [name for name in sdist if name.startswith(made) or "__pycache__" in name] == []


def test_wheel_and_sdist_hold_the_built_front_end(wheel, sdist, static):
    """Nobody needs Node.js to install either."""
    kinds = {(path.name.partition("-")[0], path.suffix) for path in map(Path, static)}
    assert {("form", ".js"), ("pages", ".js"), ("pages", ".css")} <= kinds
    for files in (set(wheel.namelist()), sdist):
        held = {name for name in files if name.startswith("jupyterhub_imagebuilder/static/")}
        assert held - {"jupyterhub_imagebuilder/static/"} >= static
        # of one build alone
        assert {name for name in held if name.endswith((".js", ".css"))} <= static


def test_sdist_holds_the_front_ends_sources(sdist):
    assert {"frontend/package.json", "frontend/package-lock.json", "frontend/build.js"} <= sdist
    assert [name for name in sdist if "node_modules" in name] == []


def test_metadata_says_who_may_use_it(metadata):
    assert metadata["Name"] == "jupyterhub-imagebuilder"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"


def test_needs_nothing_that_a_hub_image_lacks(metadata):
    in_a_hub_image = {
        "jupyterhub", "jupyterhub-kubespawner", "kubernetes-asyncio", "aiohttp", "tornado",
        "traitlets", "sqlalchemy", "alembic", "prometheus-client", "jinja2", "escapism",
    }  # fmt: skip
    needed = {
        line.partition(">")[0].strip().replace("_", "-").lower()
        for line in metadata.get_all("Requires-Dist")
        if "extra ==" not in line
    }
    assert needed <= in_a_hub_image
